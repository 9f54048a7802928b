"""Mule fan-in: an account gathers stolen money from many senders and passes it on before anybody asks."""

import numpy as np

from monitor.simulate.draws import Draws
from monitor.simulate.rhythm import HOUR_MS
from monitor.simulate.rows import CREDIT, NOWHERE, ON_CHAIN, TRANSFER, Rows
from monitor.simulate.scenarios.incident import fraud_rows, inside, moments, send, steps, strangers, victims
from monitor.simulate.world import World

ABOUT = (
    "6 to 12 transfers of 150 to 900 EUR come in from as many strangers within six hours; 10 to 60 minutes after the last, one "
    "to three debits, by transfer or on chain, take 85 to 97 % of the sum out."
)
MARK = "At least 6 credits from distinct counterparties within 6 hours, then debits of at least 80 % of their sum within 2 hours."

_ROWS_EACH = 11


def plan(world: World, draws: Draws, code: int, budget: int) -> Rows:
    """About `budget` rows, the credits included: they are proceeds of fraud, and labelled so."""
    account = victims(world, draws, max(budget // _ROWS_EACH, 1))
    n = account.shape[0]
    begin = moments(world, draws, n, 9 * HOUR_MS)
    credits_each = draws.between(6, 12, n)
    span = draws.between(HOUR_MS, 6 * HOUR_MS, n)
    partner, pause = strangers(draws, n), draws.between(10 * 60_000, 60 * 60_000, n)
    outs, share, on_chain = draws.between(1, 3, n), draws.between(85, 97, n), draws.chance(0.3, n)
    incident, step = steps(credits_each + outs)
    m = incident.shape[0]
    comes_in = step < credits_each[incident]
    gap = span // credits_each
    out_step = step - credits_each[incident]
    time_in = begin[incident] + (step + 1) * gap[incident] + draws.below(60_000, m)
    time_out = begin[incident] + span[incident] + pause[incident] + out_step * 300_000 + draws.below(120_000, m)
    rows = fraud_rows(draws, code, account[incident], np.where(comes_in, time_in, time_out))
    cents_in = np.where(comes_in, draws.between(15_000, 90_000, m), 0)
    total = np.zeros(n, np.int64)
    np.add.at(total, incident, cents_in)
    cents_out = (total * share // 100 // outs)[incident]
    send(world, rows, (partner[incident] + step) % (1 << 27) + (1 << 27), np.where(comes_in, cents_in, cents_out))
    home = world.home[account[incident]].astype(np.int64)
    rows["direction"] = np.where(comes_in, CREDIT, 0)
    rows["channel"] = np.where(~comes_in & on_chain[incident], ON_CHAIN, TRANSFER)
    rows["place"] = np.where(comes_in | on_chain[incident], NOWHERE, home)
    rows["device"] = np.where(comes_in, -1, world.device(draws, account[incident], rows["time"]))
    rows["ip"] = np.where(comes_in, 0, world.address(draws, account[incident], home))
    return inside(world, rows)
