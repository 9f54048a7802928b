"""The worker's own clock against the records': what moves it, and what does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.observe.clock_watch import AT_LEAST, BEHIND_MS, MOST_MS, RIGHT_MS, STALE_MS, WINDOW, ClockWatch

NOW_MS = 1_790_000_000_000
MONOTONIC_S = 5_000.0
DAY_MS = 86_400_000

lags = st.lists(st.integers(0, DAY_MS), min_size=AT_LEAST, max_size=WINDOW)
anything = st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=2 * WINDOW)


def told(watch, partition, aheads, now_ms=NOW_MS, monotonic_s=MONOTONIC_S):
    """Runs of a partition whose last records are ahead of the clock by so much; the time to decide the last one by."""
    return [watch.note(partition, now_ms + ahead, now_ms, monotonic_s) for ahead in aheads][-1]


@given(runs=st.lists(st.tuples(st.integers(0, 5), st.integers(0, DAY_MS)), max_size=200))
def test_a_clock_that_no_record_is_ahead_of_is_left_alone(runs):
    watch = ClockWatch()
    for partition, lag in runs:
        assert told(watch, partition, [-lag]) == NOW_MS
    assert watch.skew_ms(NOW_MS, MONOTONIC_S) <= 0


@given(behind=st.integers(BEHIND_MS + 1, MOST_MS), lag=lags)
def test_a_clock_that_is_behind_is_put_forward_by_what_lag_does_not_hide(behind, lag):
    watch = ClockWatch()
    now_ms = told(watch, 0, [behind - each for each in lag])
    hidden = sorted(lag)[len(lag) // 2]
    expected = behind - hidden if behind - hidden > RIGHT_MS else 0
    assert now_ms == NOW_MS + expected or (expected <= BEHIND_MS and now_ms == NOW_MS)
    assert watch.skew_ms(NOW_MS, MONOTONIC_S) == behind - hidden


@given(st.integers(BEHIND_MS + 1, MOST_MS), st.integers(1, 40))
def test_however_many_partitions_say_the_same_it_is_what_is_added(behind, partitions):
    watch = ClockWatch()
    for partition in range(partitions):
        assert told(watch, partition, [behind] * AT_LEAST) == NOW_MS + behind


@given(data=st.data(), partitions=st.integers(2, 9))
def test_half_of_the_partitions_being_wrong_moves_nothing(data, partitions):
    watch = ClockWatch()
    for partition in range(partitions):
        is_wrong = partition < partitions // 2
        said = data.draw(anything) if is_wrong else [-each for each in data.draw(lags)]
        if is_wrong:
            wrong = (partition, said)
        told(watch, partition, said)
    assert told(watch, *wrong) == NOW_MS


@given(data=st.data(), partitions=st.integers(2, 9))
def test_half_of_the_partitions_being_wrong_moves_nothing_while_any_of_the_others_are_silent(data, partitions):
    watch = ClockWatch()
    watch.rebalanced(range(partitions))
    for partition in range(partitions // 2):
        assert told(watch, partition, data.draw(anything)) == NOW_MS
    for partition in range(partitions // 2, partitions):
        if data.draw(st.booleans()):
            assert told(watch, partition, [-each for each in data.draw(lags)]) == NOW_MS


def test_more_than_half_of_the_partitions_move_the_clock_whatever_the_others_say():
    watch = ClockWatch()
    watch.rebalanced(range(5))
    assert [told(watch, each, [9_000] * AT_LEAST) - NOW_MS for each in range(3)] == [0, 0, 9_000]


def test_a_partition_that_is_not_ours_after_a_rebalance_has_no_say_and_one_that_stays_keeps_its_own():
    watch = ClockWatch()
    watch.rebalanced([0, 1, 2])
    told(watch, 0, [9_000] * AT_LEAST)
    watch.rebalanced([0])
    assert watch.skew_ms(NOW_MS, MONOTONIC_S) == 9_000
    watch.rebalanced([1])
    assert watch.skew_ms(NOW_MS, MONOTONIC_S) == 0


@given(anything)
def test_nobody_is_believed_before_so_many_runs_nor_for_more_than_a_day(aheads):
    watch = ClockWatch()
    for number, ahead in enumerate(aheads, 1):
        now_ms = told(watch, 0, [ahead])
        assert NOW_MS <= now_ms <= NOW_MS + MOST_MS
        if number < AT_LEAST:
            assert now_ms == NOW_MS


@given(behind=st.integers(BEHIND_MS + 1, MOST_MS), later_s=st.floats(0, 10_000))
def test_a_clock_that_is_set_right_is_believed_at_once(behind, later_s):
    watch = ClockWatch()
    told(watch, 0, [behind] * WINDOW)
    right_ms = NOW_MS + round(later_s * 1000) + behind
    assert watch.note(0, right_ms, right_ms, MONOTONIC_S + later_s) == right_ms
    assert abs(watch.skew_ms(right_ms, MONOTONIC_S + later_s)) <= 1, "no more than what is rounded"


def test_a_clock_near_the_bound_is_not_now_behind_and_now_right():
    watch = ClockWatch()
    aheads = [BEHIND_MS, BEHIND_MS + 1, RIGHT_MS + 1, RIGHT_MS, BEHIND_MS]
    assert [told(watch, 0, [ahead] * WINDOW) - NOW_MS for ahead in aheads] == [0, BEHIND_MS + 1, RIGHT_MS + 1, 0, 0]


def test_what_lagged_long_ago_hides_no_clock_that_is_behind_on_a_slow_partition():
    watch = ClockWatch()
    told(watch, 0, [5_000 - DAY_MS] * WINDOW)
    later_s = MONOTONIC_S + STALE_MS / 1000
    now_ms = NOW_MS + STALE_MS
    assert told(watch, 0, [5_000] * AT_LEAST, now_ms, later_s) == now_ms, "not older yet"
    assert told(watch, 0, [5_000], now_ms + 1, later_s + 0.001) == now_ms + 1 + 5_000


def test_nobody_is_believed_for_what_was_told_long_ago():
    watch = ClockWatch()
    assert told(watch, 0, [5_000] * WINDOW) == NOW_MS + 5_000
    later_s = MONOTONIC_S + STALE_MS / 1000
    assert watch.correction_ms(NOW_MS + STALE_MS, later_s) == 5_000
    assert watch.correction_ms(NOW_MS + STALE_MS + 1, later_s + 0.001) == 0


def test_one_run_out_of_many_changes_nothing():
    watch = ClockWatch()
    told(watch, 0, [-5] * (AT_LEAST - 1))
    assert told(watch, 0, [10**9] * (AT_LEAST - 1)) == NOW_MS


@pytest.mark.parametrize("written_ms", [0, -1])
def test_records_without_a_time_say_nothing(written_ms):
    watch = ClockWatch()
    told(watch, 0, [3_000] * AT_LEAST)
    for _ in range(2 * WINDOW):
        assert watch.note(0, written_ms, NOW_MS, MONOTONIC_S) == NOW_MS + 3_000


def test_a_partition_that_left_has_no_say_any_more():
    watch = ClockWatch()
    told(watch, 0, [3_000] * AT_LEAST)
    watch.forget(0)
    watch.forget(1)
    assert (watch.skew_ms(NOW_MS, MONOTONIC_S), watch.correction_ms(NOW_MS, MONOTONIC_S)) == (0, 0)
    assert told(watch, 0, [3_000]) == NOW_MS, "it begins anew"
