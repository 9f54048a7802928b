"""Account takeover: a stranger has the password, tries the small hours from a device of his own, and asks for more each time."""

import numpy as np

from monitor.simulate.draws import ONE, Draws, scaled
from monitor.simulate.rhythm import HOUR_MS
from monitor.simulate.rows import Rows
from monitor.simulate.scenarios.incident import (
    abroad,
    at_night,
    fraud_rows,
    inside,
    moments,
    send,
    spend_online,
    steps,
    strange_device,
    strangers,
    victims,
)
from monitor.simulate.world import World

ABOUT = (
    "A stranger logs in at night (1 to 4 h of the account's clock) from a new device and address, in 7 of 10 cases from another "
    "country, and makes 4 to 8 debits within three hours: transfers to new beneficiaries, or purchases at web shops."
)
MARK = "One device the account never had makes all debits; each is larger than the one before."

_ROWS_EACH = 6
_GROWTH = tuple(round(ONE * 1.5**step) for step in range(8))


def plan(world: World, draws: Draws, code: int, budget: int) -> Rows:
    """About `budget` rows. From 2 to 5 times the account's usual amount, growing by a half each time, give or take a tenth."""
    account = victims(world, draws, max(budget // _ROWS_EACH, 1))
    n = account.shape[0]
    begin = at_night(world, draws, moments(world, draws, n, 30 * HOUR_MS), account)
    device, ip = strange_device(draws, n), draws.u32(n) | np.uint32(1)
    place = np.where(draws.chance(0.7, n), abroad(world, draws, account), world.home[account])
    first = draws.between(2 * ONE, 5 * ONE, n)
    by_transfer = draws.chance(0.5, n)
    pace = draws.between(3 * 60_000, 20 * 60_000, n)
    incident, step = steps(draws.between(4, 8, n))
    m = incident.shape[0]
    rows = fraud_rows(draws, code, account[incident], begin[incident] + step * pace[incident] + draws.below(60_000, m))
    level = scaled(scaled(world.level[account[incident]], first[incident]), np.array(_GROWTH, np.int64)[step])
    cents = level * draws.between(90, 110, m) // 100
    webshops = world.merchants.webshops
    spend_online(world, rows, webshops[draws.below(webshops.shape[0], m)], place[incident], cents)
    sent = by_transfer[incident]
    transfers = rows[sent]
    send(world, transfers, strangers(draws, transfers.shape[0]), cents[sent])
    transfers["category"] = 0
    rows[sent] = transfers
    rows["device"], rows["ip"] = device[incident], ip[incident]
    return inside(world, rows)
