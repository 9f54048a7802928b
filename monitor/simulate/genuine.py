"""What honest people do between their standing orders: purchases, cash, transfers, some at night, some abroad."""

import numpy as np
from numpy.typing import NDArray

from monitor.simulate.draws import Draws, lognormal, scaled, weighted
from monitor.simulate.merchants import CODES, SIZES
from monitor.simulate.places import CURRENCY_OF, ZONE_MS, in_currency_of
from monitor.simulate.rhythm import DAY_MS, LIKELIHOOD, hour_of_week
from monitor.simulate.rows import (
    CARD,
    COUNTERPARTY,
    CREDIT,
    NOWHERE,
    ON_CHAIN,
    TRANSFER,
    WALLET,
    Rows,
    blank,
)
from monitor.simulate.world import FAVOURITES, World

_PURCHASE, _TRANSFER, _CASH, _CHAIN = range(4)
_KINDS = weighted((84, 9, 6, 1))
_CRYPTO_KINDS = weighted((60, 9, 4, 27))

_FAVOURITE = weighted(tuple(1000 // rank for rank in range(1, FAVOURITES + 1)))
"""Zipf's law over the favourites' ranks."""

_LOYAL, _SPREE, _TREAT, _NEW_PARTNER, _INCOMING = 0.86, 0.08, 0.004, 0.06, 0.25
"""Shares: purchases at a favourite; payments soon after another one; purchases 4 to 12 times the usual; transfers to somebody
new; transfers that come in."""

_CASH_CODE = 6011

NO_ATTRIBUTES, CHIP, CONTACTLESS, ONLINE, SALARY, REFUND = range(6)
"""Codes of `batch.ATTRIBUTES`."""


def payments(world: World, draws: Draws, from_ms: int, to_ms: int, n: int) -> Rows:
    """`n` everyday payments with event times in [from_ms, to_ms), in no order."""
    account, time, place = _occasions(world, draws, from_ms, to_ms, n)
    rows = blank(n)
    rows["account"], rows["time"], rows["place"] = account, time, place
    kind = np.where(world.crypto[account], draws.pick(_CRYPTO_KINDS, n), draws.pick(_KINDS, n))
    for which, fill in ((_PURCHASE, purchases), (_TRANSFER, _transfers), (_CASH, _cash), (_CHAIN, _on_chain)):
        chosen = np.flatnonzero(kind == which)
        part = rows[chosen]
        fill(world, draws, part)
        rows[chosen] = part
    return rows


def _occasions(
    world: World, draws: Draws, from_ms: int, to_ms: int, n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Who pays, when and in which place: drawn by activity and uniform time, then thinned by rhythm and journeys."""
    sprees = min(int(np.count_nonzero(draws.chance(_SPREE, n))), n - 1) if n > 1 else 0  # each follows another
    account, time, place = (np.empty(0, np.int64) for _ in range(3))
    while account.shape[0] < n - sprees:
        more = _thinned(world, draws, from_ms, to_ms, 3 * (n - sprees - account.shape[0]) + 64)
        account, time, place = (np.concatenate(both) for both in zip((account, time, place), more, strict=True))
    account, time, place = account[: n - sprees], time[: n - sprees], place[: n - sprees]
    after = draws.below(n - sprees, sprees)
    later = np.minimum(time[after] + draws.between(90_000, 1_500_000, sprees), to_ms - 1)
    return (
        np.concatenate([account, account[after]]),
        np.concatenate([time, later]),
        np.concatenate([place, place[after]]),
    )


def _thinned(
    world: World, draws: Draws, from_ms: int, to_ms: int, n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    account = world.slots[draws.below(world.slots.shape[0], n)].astype(np.int64)
    time = from_ms + draws.below(to_ms - from_ms, n)
    local = hour_of_week(time + ZONE_MS[world.home[account]])
    kept = (draws.u16(n) & 0xFF) < LIKELIHOOD[world.rhythm[account], local]
    account, time = account[kept], time[kept]
    place, flying = world.whereabouts(account, time)
    return account[~flying], time[~flying], place[~flying]


def purchases(world: World, draws: Draws, rows: Rows) -> None:
    """Fill in rows whose account, time and place are known: where they bought, how they paid, how much."""
    n = rows.shape[0]
    account, place = rows["account"].astype(np.int64), rows["place"].astype(np.int64)
    loyal = draws.chance(_LOYAL, n) & (place == world.home[account])
    favourite = world.favourites[account, draws.pick(_FAVOURITE, n)]
    merchant = np.where(loyal, favourite, world.merchants.popular(draws, place))
    buy(world, draws, rows, merchant)


def buy(world: World, draws: Draws, rows: Rows, merchant: NDArray[np.int64]) -> None:
    """Fill in purchases at the given merchants: the rail, the device, the amount."""
    n = rows.shape[0]
    account, place = rows["account"].astype(np.int64), rows["place"].astype(np.int64)
    category = world.merchants.category[merchant]
    online = world.merchants.online[merchant]
    wallet = world.wallet[account] & draws.chance(0.4, n)
    factor = draws.pick(lognormal(55), n)
    factor = np.where(draws.chance(_TREAT, n), factor * draws.between(4, 12, n), factor)
    cents = scaled(scaled(world.level[account], SIZES[category]), factor)
    touch = draws.chance(0.6, n)
    rows["merchant"], rows["category"] = merchant, CODES[category]
    rows["amount"], rows["currency"] = in_currency_of(place, cents), CURRENCY_OF[place]
    rows["channel"] = np.where(wallet, WALLET, CARD)
    rows["device"] = np.where(online | wallet, world.device(draws, account, rows["time"]), -1)
    rows["ip"] = np.where(online, world.address(draws, account, place), 0)
    rows["attributes"] = np.where(online, ONLINE, np.where(touch, CONTACTLESS, CHIP))
    rows["keyed"] = online | wallet | draws.chance(0.5, n)


def _transfers(world: World, draws: Draws, rows: Rows) -> None:
    n = rows.shape[0]
    account = rows["account"].astype(np.int64)
    incoming = draws.chance(_INCOMING, n)
    known = world.partner(account, np.minimum(draws.below(6, n), draws.below(6, n)))
    partner = np.where(draws.chance(_NEW_PARTNER, n), draws.below(1 << 27, n), known)
    _bank(world, draws, rows, scaled(5 * world.level[account], draws.pick(lognormal(80), n)))
    rows["amount"] = np.maximum(rows["amount"] // 100, 1) * 100  # people send round sums
    rows["merchant"], rows["channel"] = COUNTERPARTY + partner, TRANSFER
    rows["direction"] = np.where(incoming, CREDIT, 0)
    rows["place"] = np.where(incoming, NOWHERE, rows["place"])
    rows["device"] = np.where(incoming, -1, rows["device"])
    rows["ip"] = np.where(incoming, 0, rows["ip"])


def _cash(_world: World, draws: Draws, rows: Rows) -> None:
    n = rows.shape[0]
    place = rows["place"].astype(np.int64)
    rows["amount"] = in_currency_of(place, 2000 * draws.between(1, 10, n)) // 1000 * 1000
    rows["currency"], rows["category"], rows["attributes"] = CURRENCY_OF[place], _CASH_CODE, CHIP


def _on_chain(world: World, draws: Draws, rows: Rows) -> None:
    n = rows.shape[0]
    account = rows["account"].astype(np.int64)
    _bank(world, draws, rows, scaled(6 * world.level[account], draws.pick(lognormal(100), n)))
    rows["merchant"] = COUNTERPARTY + world.partner(account, 8 + draws.below(4, n))
    rows["channel"], rows["place"] = ON_CHAIN, NOWHERE


def _bank(world: World, draws: Draws, rows: Rows, cents: NDArray[np.int64]) -> None:
    """Money moved from the account's own device, in its own currency."""
    account = rows["account"].astype(np.int64)
    home = world.home[account].astype(np.int64)
    rows["amount"], rows["currency"] = in_currency_of(home, cents), CURRENCY_OF[home]
    rows["device"] = world.device(draws, account, rows["time"])
    rows["ip"] = world.address(draws, account, rows["place"].astype(np.int64))
    rows["keyed"] = 1


def refunds(draws: Draws, rows: Rows, share: float) -> Rows:
    """Credits for a `share` of the purchases among `rows`, one to nine days later, two in three in full."""
    bought = rows[(rows["category"] > 0) & (rows["category"] != _CASH_CODE) & (rows["direction"] == 0)]
    bought = bought[(bought["channel"] == CARD) & (bought["scenario"] == 0)]
    back: Rows = bought[draws.chance(share, bought.shape[0])]
    n = back.shape[0]
    part = np.where(draws.chance(0.67, n), 16, draws.between(2, 15, n))
    back["amount"] = np.maximum(back["amount"] * part // 16, 1)
    back["time"] += draws.between(DAY_MS, 9 * DAY_MS, n)
    back["direction"], back["attributes"], back["keyed"] = CREDIT, REFUND, 0
    back["device"], back["ip"] = -1, 0
    back["number"] = back["original"] = -1
    return back
