"""Merchant compromise: a shop's card reader leaks; days later the cards of those who paid there are used elsewhere."""

import numpy as np
from numpy.typing import NDArray

from monitor.simulate.draws import ONE, Draws, scaled
from monitor.simulate.genuine import buy
from monitor.simulate.places import PLACES
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

_CROWDED = np.array([i for i, place in enumerate(PLACES) if place.weight >= 10], np.int64)
"""Where leaking shops are: a place with so few accounts that nobody was there makes no incident."""

_CANDIDATES = 16
"""Accounts looked at for each victim needed: most live elsewhere than the shop."""


def plan(world: World, draws: Draws, code: int, budget: int) -> Rows:
    """About `budget` fraudulent rows, and one genuine visit a victim at the leaking merchant of its own country."""
    leaks = max(budget // _ROWS_A_LEAK, 1)
    length = world.end_ms - world.start_ms
    window, exploit = min(_WINDOW_MS, length // 12), min(_EXPLOIT_MS, length // 4)
    opened = moments(world, draws, leaks, window + 2 * exploit)
    place = _CROWDED[draws.below(_CROWDED.shape[0], leaks)]
    shop = np.array([_shop(world, draws, each) for each in place.tolist()], np.int64)
    account, leak = _clients(world, draws, place, max(round(budget / _ROWS_EACH), 2))
    time = opened[leak] + draws.between(0, window, account.shape[0])
    there, flying = world.whereabouts(account, time)
    able = (there == place[leak]) & ~flying
    if able.any():
        account, leak, time = account[able], leak[able], time[able]
    visits = blank(account.shape[0])
    visits["account"], visits["place"], visits["time"] = account, place[leak], time
    buy(world, draws, visits, shop[leak])
    from_ms = time + min(12 * HOUR_MS, exploit // 2)
    return inside(world, joined([visits, _exploits(world, draws, code, account, from_ms, exploit)]))


def _shop(world: World, draws: Draws, place: int) -> int:
    shops = world.merchants.shops[world.merchants.place[world.merchants.shops] == place]
    return int(shops[draws.below(shops.shape[0], 1)[0]])


def _clients(
    world: World, draws: Draws, place: NDArray[np.int64], n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """About `n` different accounts that live where the leaks are, and the leak that hits each."""
    candidates = victims(world, draws, _CANDIDATES * n)
    homes = world.home[candidates]
    accounts, leaks = [], []
    for each in np.unique(place).tolist():
        here = np.flatnonzero(place == each)
        found = candidates[homes == each][: -(-n * here.shape[0] // place.shape[0])]
        accounts.append(found)
        leaks.append(here[np.arange(found.shape[0]) % here.shape[0]])
    account, leak = np.concatenate(accounts), np.concatenate(leaks)
    if account.shape[0] == 0:  # ten accounts, all living elsewhere: somebody is hit all the same
        return candidates[:2], np.zeros(min(candidates.shape[0], 2), np.int64)
    return account, leak


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
