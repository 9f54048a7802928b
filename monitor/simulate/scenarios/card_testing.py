"""Card testing: a bot tries a stolen card with tiny sums at many shops within minutes, then somebody spends what it is worth."""

import numpy as np

from monitor.simulate.draws import ONE, Draws, scaled
from monitor.simulate.rhythm import HOUR_MS
from monitor.simulate.rows import Rows
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

ABOUT = "A burst of 9 to 16 card debits of 0.20 to 1.50 EUR at as many web shops, 15 to 45 s apart, then a large one within 20 minutes."
MARK = "At least 8 debits of at most 2 EUR within 15 minutes at distinct merchants, then one of 10 times the usual amount or more."

_ROWS_EACH = 13


def plan(world: World, draws: Draws, code: int, budget: int) -> Rows:
    """About `budget` rows: the last of each incident, 12 to 30 times the account's usual amount, is the large one."""
    account = victims(world, draws, max(budget // _ROWS_EACH, 1))
    n = account.shape[0]
    begin = moments(world, draws, n, HOUR_MS)
    place = np.where(draws.chance(0.5, n), abroad(world, draws, account), world.home[account])
    device, ip = strange_device(draws, n), draws.u32(n) | np.uint32(1)
    pace = draws.between(15_000, 45_000, n)
    tries = draws.between(9, 16, n)
    webshops = world.merchants.webshops
    shop = draws.below(webshops.shape[0], n)
    pause = draws.between(2 * 60_000, 20 * 60_000, n)
    incident, step = steps(tries + 1)
    m = incident.shape[0]
    large = step == tries[incident]
    time = begin[incident] + step * pace[incident] + draws.below(5_000, m) + np.where(large, pause[incident], 0)
    rows = fraud_rows(draws, code, account[incident], time)
    worth = scaled(world.level[account[incident]], draws.between(12 * ONE, 30 * ONE, m))
    cents = np.where(large, worth, draws.between(20, 150, m))
    spend_online(world, rows, webshops[(shop[incident] + step) % webshops.shape[0]], place[incident], cents)
    rows["device"], rows["ip"] = device[incident], ip[incident]
    return inside(world, rows)
