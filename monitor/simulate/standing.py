"""What comes every month without anybody thinking of it: salary in; rent, power, telephone and subscriptions out."""

from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from monitor.simulate.draws import Draws, lognormal, scaled
from monitor.simulate.genuine import NO_ATTRIBUTES, SALARY
from monitor.simulate.places import CURRENCY_OF, ZONE_MS, in_currency_of
from monitor.simulate.rhythm import DAY_MS
from monitor.simulate.rows import COUNTERPARTY, CREDIT, DEBIT, DIRECT_DEBIT, TRANSFER, Rows, blank, joined
from monitor.simulate.world import World

ORDER = np.dtype([("second", "<i4"), ("account", "<i4"), ("merchant", "<i4"), ("amount", "<i8"), ("category", "<u2")])
"""A monthly payment: `second` from the start of the month, UTC; category 0 is a salary."""

_MOST_SHARE = 0.10
"""Standing orders make up at most this share of all records; where accounts are many and payments few, some are left out."""

_MONTH_DAYS = 30.4

_BILLS = ((6513, 18.0, 0.6, 1), (4900, 3.5, 0.8, 8), (4814, 1.5, 0.8, 12), (5968, 0.6, 0.7, 15))
"""Category code, size against the account's level, share of accounts, first day of the month: rent, power, telephone,
subscription."""

_EMPLOYERS = 5000


def standing_orders(world: World, draws: Draws, transactions: int) -> NDArray[np.void]:
    """All monthly payments of the world's accounts, ORDER[n] by `second`; fewer where they would crowd out the rest."""
    n = len(world)
    account = np.arange(n)
    parts = [_orders(world, draws, np.flatnonzero(draws.chance(0.8, n)), 0, 90.0, 25, 3)]
    for code, size, share, day in _BILLS:
        parts.append(_orders(world, draws, account[draws.chance(share, n)], code, size, day, 5))
    orders = np.concatenate(parts)
    months = (world.end_ms - world.start_ms) / DAY_MS / _MONTH_DAYS
    room = transactions * _MOST_SHARE / months / max(orders.shape[0], 1)
    if room < 1:
        orders = orders[draws.chance(room, orders.shape[0])]
    return orders[np.argsort(orders["second"], kind="stable")]


def _orders(
    world: World, draws: Draws, account: NDArray[np.int64], code: int, size: float, day: int, days: int
) -> NDArray[np.void]:
    n = account.shape[0]
    home = world.home[account].astype(np.int64)
    orders = np.empty(n, ORDER)
    minute = draws.below(90, n)
    local_s = (day - 1 + draws.below(days, n)) * 86_400 + 5 * 3600 + minute * 60 + draws.below(60, n)
    orders["second"] = np.clip(local_s - ZONE_MS[home] // 1000, 0, 28 * 86_400 - 1)
    orders["account"], orders["category"] = account, code
    cents = scaled(world.level[account] * round(size * 16) // 16, draws.pick(lognormal(30), n))
    orders["amount"] = in_currency_of(home, cents)
    payer = COUNTERPARTY + draws.below(_EMPLOYERS, n)
    orders["merchant"] = payer if code == 0 else world.merchants.popular(draws, home)
    return orders


def due(world: World, orders: NDArray[np.void], from_ms: int, to_ms: int) -> Rows:
    """The payments that the orders cause in [from_ms, to_ms)."""
    parts = [_on_day(world, orders, day) for day in range(from_ms // DAY_MS * DAY_MS, to_ms, DAY_MS)]
    rows = joined(parts)
    return rows[(rows["time"] >= from_ms) & (rows["time"] < to_ms)]


def _on_day(world: World, orders: NDArray[np.void], day_ms: int) -> Rows:
    day = datetime.fromtimestamp(day_ms / 1000, UTC).day - 1
    low, high = np.searchsorted(orders["second"], [day * 86_400, (day + 1) * 86_400])
    today = orders[low:high]
    rows = blank(today.shape[0])
    salary = today["category"] == 0
    rows["account"], rows["merchant"], rows["amount"] = today["account"], today["merchant"], today["amount"]
    rows["time"] = day_ms + (today["second"].astype(np.int64) - day * 86_400) * 1000
    rows["currency"] = CURRENCY_OF[world.home[today["account"]]]
    rows["category"] = today["category"]
    rows["channel"] = np.where(salary, TRANSFER, DIRECT_DEBIT)
    rows["direction"] = np.where(salary, CREDIT, DEBIT)
    rows["attributes"] = np.where(salary, SALARY, NO_ATTRIBUTES)
    return rows
