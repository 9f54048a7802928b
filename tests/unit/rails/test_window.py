"""What the window counts, against a plain count of the same records."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.guard.reasons import Reason
from monitor.rails.limits import RAILS, UNKNOWN
from monitor.rails.window import BUCKETS, LAG_EDGES_S, NO_TRAFFIC, RailWindow
from monitor.wire.columns import CHANNEL, EVENT_TIME, LONGS, STRINGS, Columns

WINDOW_S = 60.0
LIMIT_S = 100.0
NOW_MS = 1_790_000_000_000

one_record = st.tuples(
    st.integers(0, len(RAILS) - 1),
    st.booleans(),
    st.sampled_from([-5.0, 0.0, 0.999, 1.0, 49.999, 50.0, 99.999, 100.0, 3_600.0, 1e7]),
    st.booleans(),
)
"""Rail, whether rejected, lag in seconds, whether the record has a timestamp."""


def add(window, now_s, records):
    n = len(records)
    longs, strings = np.zeros((len(LONGS), n), np.int64), np.zeros((len(STRINGS), n), np.int64)
    undecoded, reasons, timestamps = np.zeros(n, np.uint8), np.zeros(n, np.uint8), np.full(n, NOW_MS)
    for row, (rail, rejected, lag_s, timed) in enumerate(records):
        longs[CHANNEL, row] = 0 if rail == UNKNOWN else rail
        longs[EVENT_TIME, row] = NOW_MS - round(lag_s * 1000)
        undecoded[row] = int(Reason.UNDECODABLE) if rail == UNKNOWN else 0
        reasons[row] = undecoded[row] or (int(Reason.NEGATIVE_AMOUNT) if rejected else 0)
        timestamps[row] = NOW_MS if timed else -1
    columns = Columns(
        np.zeros(0, np.uint8), longs, strings, strings.astype(np.int32), strings.astype(np.uint64), undecoded, np.zeros(n, np.int32)
    )  # fmt: skip
    return window.add(columns, reasons, timestamps, now_s)


def counted(records, rail):
    """The same by plain means: admitted, rejected, timed, late, half late, the lag that half have."""
    mine = [(rail == UNKNOWN or rejected, lag_s, timed) for each, rejected, lag_s, timed in records if each == rail]
    lags = [lag_s for rejected, lag_s, timed in mine if not rejected and timed]
    edges = [
        edge for edge in {0.0, *LAG_EDGES_S, LIMIT_S, LIMIT_S / 2} if 2 * sum(x >= edge for x in lags) >= len(lags)
    ]
    rejected = sum(each for each, _, _ in mine)
    late = [sum(lag_s >= limit for lag_s in lags) for limit in (LIMIT_S, LIMIT_S / 2)]
    return len(mine) - rejected, rejected, len(lags), *late, max(edges, default=0.0) if lags else None


@given(st.lists(one_record, max_size=60))
def test_a_run_is_counted_as_one_would_by_hand(records):
    window = RailWindow(WINDOW_S, LIMIT_S)
    rails, any_admitted = add(window, 1_000.0, records)
    assert rails == sorted({rail for rail, _, _, _ in records})
    assert any_admitted == any(rail != UNKNOWN and not rejected for rail, rejected, _, _ in records)
    for rail, traffic in enumerate(window.traffic(1_000.0)):
        assert tuple(traffic) == counted(records, rail)
        assert window.ever()[rail] == (traffic.admitted, traffic.rejected)


@given(st.lists(st.tuples(st.floats(0, 200), st.lists(one_record, max_size=5)), max_size=12))
def test_the_window_holds_what_came_in_it_and_the_totals_hold_everything(runs):
    window, now_s, sent = RailWindow(WINDOW_S, LIMIT_S), 1_000.0, []
    for passed_s, records in runs:
        now_s += passed_s
        add(window, now_s, records)
        sent.append((now_s, records))
    certain = sum(len(records) for at, records in sent if at > now_s - WINDOW_S * (1 - 1 / BUCKETS))
    possible = sum(len(records) for at, records in sent if at > now_s - WINDOW_S)
    assert certain <= sum(traffic.records for traffic in window.traffic(now_s)) <= possible
    assert sum(map(sum, window.ever())) == sum(len(records) for _, records in sent)
    assert window.traffic(now_s + WINDOW_S) == [NO_TRAFFIC] * len(RAILS)


def test_a_clock_that_stands_still_loses_nothing():
    window = RailWindow(WINDOW_S, LIMIT_S)
    for _ in range(3):
        add(window, 0.0, [(1, False, 0.0, True)])
    assert window.traffic(0.0)[1].admitted == 3


@pytest.mark.parametrize(("rejected", "share"), [(0, 0.0), (3, 0.75)])
def test_the_share_of_rejects_is_of_all_records(rejected, share):
    window = RailWindow(WINDOW_S, LIMIT_S)
    add(window, 5.0, [(2, at < rejected, 0.0, True) for at in range(4)])
    assert window.traffic(5.0)[2].reject_share == share
    assert window.traffic(5.0)[3].reject_share is None
