"""When nothing but rejects comes in, the worker leaves; when one rail is bad, it does not."""

import pytest

from monitor.errors import OnlyRejectsError
from monitor.guard.reasons import Reason
from monitor.rails.reject_streak import STARTING_S


def test_a_worker_that_admits_nothing_from_the_start_leaves_and_says_the_reasons(rails):
    on = rails(reject_stop_records=1_000)
    on.send("unknown", bad=600, reason=Reason.UNKNOWN_SCHEMA)
    on.send("card", bad=399)
    on.wait(STARTING_S)
    with pytest.raises(OnlyRejectsError) as found:
        on.send("card", bad=1)
    assert "transactions[0]: the last 1,000 records up to offset 999" in str(found.value)
    assert "(unknown_schema 600, unknown_currency 400)" in str(found.value)
    assert "reject_stop_records = 1000" in str(found.value)


def test_only_the_commonest_reasons_are_spelled_out(rails):
    on = rails(reject_stop_records=100)
    for count, reason in ((50, 1), (30, 2), (14, 20), (3, 40), (2, 41)):
        on.send("unknown", bad=count, reason=Reason(reason))
        on.wait(STARTING_S / 4)
    with pytest.raises(OnlyRejectsError, match="unknown_schema 14, and 2 more reasons"):
        on.send("unknown", bad=1, reason=Reason.MISSING_KEY)


def test_a_worker_that_has_just_started_waits_for_a_rail_that_is_well(rails):
    on = rails(reject_stop_records=100)
    on.send("wallet", bad=5_000)
    on.wait(STARTING_S / 2)
    on.send("card", good=1, partition=1)
    on.wait(STARTING_S)
    on.send("wallet", bad=5_000)


def test_one_bad_rail_does_not_stop_the_worker_while_another_is_admitted_now_and_then(rails):
    on = rails(reject_stop_records=100, window_s=60)
    for _ in range(20):
        on.send("wallet", bad=500)
        on.wait(30)
        on.send("card", good=1, partition=1)
        on.wait(20)


def test_when_the_last_good_rail_ends_the_worker_leaves_after_the_window(rails):
    on = rails(reject_stop_records=100, window_s=60)
    on.send("card", good=1, partition=1)
    on.wait(30)
    on.send("wallet", bad=500)
    on.wait(59)
    on.send("wallet", bad=500)
    on.wait(1)
    with pytest.raises(OnlyRejectsError):
        on.send("wallet", bad=1)


def test_a_burst_after_a_quiet_night_is_given_the_window_too(rails):
    on = rails(reject_stop_records=100, window_s=60)
    on.send("card", good=1)
    on.wait(8 * 3_600)
    for _ in range(59):
        on.send("wallet", bad=10_000)
        on.wait(1)
    on.send("card", good=1)


def test_a_burst_is_not_ended_for_what_another_partition_rejected_long_ago(rails):
    on = rails(reject_stop_records=100)
    on.send("card", bad=1, partition=1)
    on.wait(8 * 3_600)
    on.send("wallet", bad=10_000)
    on.wait(STARTING_S)
    with pytest.raises(OnlyRejectsError):
        on.send("wallet", bad=1)


def test_event_times_in_the_future_are_a_matter_of_clocks_and_never_a_streak(rails):
    on = rails(reject_stop_records=100)
    for _ in range(10):
        on.send("card", bad=20_000, reason=Reason.EVENT_TIME_IN_FUTURE)
        on.wait(STARTING_S)


def test_a_run_of_event_times_in_the_future_neither_ends_nor_lengthens_a_streak(rails):
    on = rails(reject_stop_records=100)
    on.send("card", bad=99)
    on.wait(STARTING_S)
    on.send("card", bad=500, reason=Reason.EVENT_TIME_IN_FUTURE)
    with pytest.raises(OnlyRejectsError, match="the last 100 records"):
        on.send("card", bad=1)


def test_a_streak_is_of_one_partition(rails):
    on = rails(reject_stop_records=100)
    on.send("card", bad=1)
    on.wait(STARTING_S)
    for partition in range(10):
        on.send("card", bad=99 - (partition == 0), partition=partition)


def test_a_streak_begins_anew_with_other_partitions(rails):
    on = rails(reject_stop_records=100)
    on.send("card", bad=99)
    on.wait(STARTING_S)
    on.watch.rebalanced([7])
    on.send("card", bad=99)
    on.wait(STARTING_S)
    with pytest.raises(OnlyRejectsError):
        on.send("card", bad=1)


def test_zero_lets_everything_into_the_dead_letters(rails):
    on = rails(reject_stop_records=0)
    on.send("card", bad=50_000)
    on.wait(600)
    on.send("card", bad=50_000)
