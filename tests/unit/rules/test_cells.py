"""Every name that a rule may use is there for a run, with the unit that its kind says."""

import datetime as dt

import numpy as np
import pytest

from monitor.features.catalogue import INDEX
from monitor.rules.cells import RunCells
from monitor.rules.names import NAMES, WEEKDAYS, Kind, risk_kinds_of
from monitor.simulate.spec import SimulationSpec
from monitor.wire.columns import ACCOUNT_ID, CHANNELS, COUNTRY
from monitor.wire.hashing import hash_bytes
from tests.one_run import decided_at_once, deciding_at, records_of

SPEC = SimulationSpec(seed=3, transactions=400, accounts=12)


@pytest.fixture(scope="module")
def run():
    records = records_of(SPEC)
    context = deciding_at(SPEC).for_records(records)
    _, decided = decided_at_once(records, context, SPEC)
    rows = np.flatnonzero(decided.dispositions == 0)[::2]
    return context, decided, RunCells(decided.columns, rows, decided.features[rows], decided.scores[rows])


@pytest.mark.parametrize("name", NAMES)
def test_a_name_has_a_value_for_each_transaction(run, name):
    _, _, cells = run
    kind = NAMES[name].kind
    if kind is Kind.TEXT:
        values = cells.text(name)
        assert values.dtype == np.uint64
        assert NAMES[name].lacking or values.all()
    elif kind is Kind.SYMBOL:
        values = cells.symbol(name)
        assert set(values.tolist()) <= set(range(len(NAMES[name].symbols)))
    else:
        values = cells.number(name)
        assert values.dtype == np.float64
        assert NAMES[name].lacking or not np.isnan(values).any()
    assert len(values) == len(cells)


def test_values_are_the_transactions_own(run):
    context, decided, cells = run
    times = [dt.datetime.fromtimestamp(ms / 1000, dt.UTC) for ms in decided.event_times_ms[cells.rows].tolist()]
    assert cells.number("hour").tolist() == [time.hour for time in times]
    assert cells.number("time_of_day").tolist() == pytest.approx(
        [(time - time.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds() for time in times]
    )
    assert [WEEKDAYS[day] for day in cells.symbol("weekday").tolist()] == [f"{time:%A}".lower() for time in times]
    accounts = [decided.columns.text(ACCOUNT_ID, row) for row in cells.rows.tolist()]
    assert cells.text("account_id").tolist() == [hash_bytes(each.encode(), context.hash_key) for each in accounts]
    assert {CHANNELS[each] for each in cells.symbol("channel").tolist()} <= set(CHANNELS)
    nulls = [decided.columns.text(COUNTRY, row) is None for row in cells.rows.tolist()]
    assert (cells.text("country") == 0).tolist() == nulls
    assert cells.number("amount").tolist() == decided.features[cells.rows, INDEX["amount"]].tolist()


def test_the_first_payment_of_an_account_has_no_time_since_the_last(run):
    _, decided, cells = run
    raw = decided.features[cells.rows, INDEX["time_since_last"]]
    assert np.array_equal(np.isnan(cells.number("time_since_last")), raw < 0)
    assert (raw < 0).any()


def test_risk_is_unknown_where_no_snapshot_was_looked_up(run):
    assert np.isnan(run[2].number("merchant_risk_7d")).all()
    assert risk_kinds_of({"amount", "place_risk_now", "merchant_fraud_streak"}) == (0, 2)
    assert risk_kinds_of(set(NAMES) - {name for name in NAMES if "_risk" in name or "fraud" in name}) == ()
