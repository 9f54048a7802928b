"""Merchant compromise: a shop's card reader leaks; days later the cards of those who paid there are used elsewhere."""

import numpy as np
from numpy.typing import NDArray

from monitor.simulate.draws import ONE, Draws, scaled
from monitor.simulate.genuine import buy
from monitor.simulate.rhythm import DAY_MS, HOUR_MS
from monitor.simulate.rows import Rows, blank, joined
from monitor.simulate.scenarios.incident import (
    abroad,
    fraud_rows,
    inside,
    moments,
    spend_online,
    steps,
    strange_device,
    victims,
)
from monitor.simulate.world import World

ABOUT = (
    "A shop leaks the cards that pay there within one to three days. Each of its victims sees 1 to 4 purchases at web shops, "
    "from abroad, half a day to ten days later, of 1 to 8 times the usual amount."
)
MARK = "Every victim paid at one same merchant, a genuine payment, before its first fraud, which happens elsewhere."

_ROWS_EACH, _ROWS_A_LEAK = 2.5, 60
_WINDOW_MS, _EXPLOIT_MS = 3 * DAY_MS, 10 * DAY_MS


def plan(world: World, draws: Draws, code: int, budget: int) -> Rows:
    """About `budget` fraudulent rows, and one genuine visit a victim at the leaking merchant."""
    leaks = max(budget // _ROWS_A_LEAK, 1)
    account = victims(world, draws, max(round(budget / _ROWS_EACH), 2))
    n = account.shape[0]
    length = world.end_ms - world.start_ms
    window, exploit = min(_WINDOW_MS, length // 12), min(_EXPLOIT_MS, length // 4)
    opened = moments(world, draws, leaks, window + 2 * exploit)
    shop = world.merchants.shops[draws.distinct(world.merchants.shops.shape[0], leaks)]
    leak = np.arange(n) % leaks
    visits = blank(n)
    visits["account"], visits["place"] = account, world.merchants.place[shop[leak]]
    visits["time"] = opened[leak] + draws.between(0, window, n)
    buy(world, draws, visits, shop[leak])
    from_ms = visits["time"] + min(12 * HOUR_MS, exploit // 2)
    return inside(world, joined([visits, _exploits(world, draws, code, account, from_ms, exploit)]))


def _exploits(
    world: World,
    draws: Draws,
    code: int,
    account: NDArray[np.int64],
    from_ms: NDArray[np.int64],
    within_ms: int,
) -> Rows:
    n = account.shape[0]
    begin = from_ms + draws.between(0, within_ms, n)
    place, device, ip = abroad(world, draws, account), strange_device(draws, n), draws.u32(n) | np.uint32(1)
    incident, step = steps(draws.between(1, 4, n))
    m = incident.shape[0]
    time = begin[incident] + step * 25 * 60_000 + draws.below(20 * 60_000, m)
    rows = fraud_rows(draws, code, account[incident], time)
    cents = scaled(world.level[account[incident]], draws.between(ONE, 8 * ONE, m))
    webshops = world.merchants.webshops
    spend_online(world, rows, webshops[draws.below(webshops.shape[0], m)], place[incident], cents)
    rows["device"], rows["ip"] = device[incident], ip[incident]
    return rows
