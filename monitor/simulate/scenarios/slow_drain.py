"""Slow drain: somebody with access takes a little every day, small enough to pass."""

import numpy as np

from monitor.simulate.draws import ONE, Draws, scaled
from monitor.simulate.rhythm import HOUR_MS
from monitor.simulate.rows import Rows
from monitor.simulate.scenarios.incident import fraud_rows, inside, moments, send, steps, strangers, victims
from monitor.simulate.world import World

ABOUT = "6 to 12 transfers to one new counterparty, 14 to 30 hours apart, each 1.5 to 3 times the usual amount, from a device of the account."
MARK = "At least 6 transfers to one counterparty that the account had never paid, at even distances, of nearly even amounts."

_ROWS_EACH, _MOST = 9, 12


def plan(world: World, draws: Draws, code: int, budget: int) -> Rows:
    """About `budget` rows. Amounts vary by a twentieth, distances by an hour; a short stream shortens the distances."""
    account = victims(world, draws, max(budget // _ROWS_EACH, 1))
    n = account.shape[0]
    longest = min(30 * HOUR_MS, (world.end_ms - world.start_ms) * 2 // 3 // (_MOST + 2))
    begin = moments(world, draws, n, (_MOST + 1) * longest)
    pace = draws.between(longest * 7 // 15, longest, n)
    partner, share = strangers(draws, n), draws.between(3 * ONE // 2, 3 * ONE, n)
    incident, step = steps(draws.between(6, _MOST, n))
    m = incident.shape[0]
    wander = draws.below(min(HOUR_MS, longest // 8), m)
    rows = fraud_rows(draws, code, account[incident], begin[incident] + step * pace[incident] + wander)
    cents = scaled(world.level[account[incident]], share[incident]) * draws.between(95, 105, m) // 100
    send(world, rows, partner[incident], cents)
    home = world.home[account[incident]].astype(np.int64)
    rows["device"] = world.device(draws, account[incident], rows["time"])
    rows["ip"], rows["place"] = world.address(draws, account[incident], home), home
    return inside(world, rows)
