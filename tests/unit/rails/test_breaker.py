"""The breaker of a rail: where it closes, where it opens again, and that it does not flap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.rails.breaker import Standing, State, misbehaves, stands_next
from monitor.rails.limits import RailLimits
from monitor.rails.window import NO_TRAFFIC, Traffic

LIMITS = RailLimits(reject_share=0.5, least_records=100, lag_s=3600.0, retry_s=60.0, silence_s=300.0)
HEALTHY = Standing()
WALLED = Standing(State.WALLED, 5.0, "it was bad")


def rejecting(rejected: int, of: int) -> Traffic:
    return Traffic(of - rejected, rejected, of - rejected, 0, 0, 0.0)


def late(late: int, half_late: int, of: int) -> Traffic:
    return Traffic(of, 0, of, late, half_late, 1800.0)


traffic = st.one_of(
    st.builds(rejecting, st.integers(0, 150), st.just(150)),
    st.builds(late, st.integers(0, 75), st.integers(75, 150), st.just(150)),
    st.just(NO_TRAFFIC),
    st.integers(0, 20).map(lambda bad: rejecting(bad, 20)),
)
silence = st.none() | st.floats(0, 600)


@pytest.mark.parametrize(
    ("seen", "after"),
    [
        (rejecting(49, 99), State.HEALTHY),
        (rejecting(99, 99), State.HEALTHY),
        (rejecting(49, 100), State.HEALTHY),
        (rejecting(50, 100), State.WALLED),
        (late(49, 100, 100), State.HEALTHY),
        (late(50, 100, 100), State.WALLED),
        (late(99, 99, 99), State.HEALTHY),
    ],
)
def test_a_healthy_rail_is_walled_off_at_a_limit_and_with_enough_records(seen, after):
    found = stands_next(HEALTHY, seen, 0.0, LIMITS, 10.0)
    assert found.state is after
    assert (found is HEALTHY) == (after is State.HEALTHY)


@pytest.mark.parametrize(
    ("seen", "after"),
    [
        (rejecting(25, 100), State.WALLED),
        (rejecting(24, 100), State.RECOVERING),
        (rejecting(24, 24), State.RECOVERING),
        (rejecting(25, 25), State.WALLED),
        (late(0, 50, 100), State.WALLED),
        (late(0, 49, 100), State.RECOVERING),
        (NO_TRAFFIC, State.RECOVERING),
    ],
)
def test_a_walled_rail_recovers_below_half_of_the_limits(seen, after):
    assert stands_next(WALLED, seen, None, LIMITS, 10.0).state is after


def test_lag_says_nothing_of_a_rail_where_no_other_is_on_time():
    assert stands_next(HEALTHY, late(100, 100, 100), 0.0, LIMITS, 10.0, others_on_time=False) is HEALTHY
    assert stands_next(HEALTHY, rejecting(50, 100), 0.0, LIMITS, 10.0, others_on_time=False).state is State.WALLED


def test_recovering_must_hold_before_a_rail_opens():
    recovering = stands_next(WALLED, rejecting(0, 500), 0.0, LIMITS, 10.0)
    assert recovering.is_walled
    assert stands_next(recovering, rejecting(0, 500), 0.0, LIMITS, 69.9) is recovering
    opened = stands_next(recovering, rejecting(0, 500), 0.0, LIMITS, 70.0)
    assert opened == Standing(State.HEALTHY, 70.0)
    again = stands_next(recovering, rejecting(150, 500), 0.0, LIMITS, 69.9)
    assert (again.state, again.since_s) == (State.WALLED, 69.9)
    assert "before it had recovered" in again.why


def test_a_rail_that_flowed_and_is_silent_is_dark_until_a_record_comes():
    assert stands_next(HEALTHY, NO_TRAFFIC, 299.0, LIMITS, 10.0) is HEALTHY
    assert stands_next(HEALTHY, NO_TRAFFIC, None, LIMITS, 10.0) is HEALTHY
    dark = stands_next(HEALTHY, NO_TRAFFIC, 300.0, LIMITS, 10.0)
    assert (dark.state, dark.is_walled) == (State.DARK, False)
    assert stands_next(dark, NO_TRAFFIC, 400.0, LIMITS, 110.0) is dark
    assert stands_next(dark, rejecting(0, 1), 0.0, LIMITS, 120.0).state is State.HEALTHY
    assert stands_next(dark, rejecting(150, 150), 0.0, LIMITS, 120.0).state is State.WALLED


def test_the_reason_says_what_was_seen_and_which_setting_it_was_held_against():
    assert misbehaves(rejecting(60, 100), LIMITS) == (
        "60 of 100 records in 60 s were rejected; rail_reject_share is 0.5"
    )
    assert misbehaves(late(80, 90, 100), LIMITS) == (
        "80 of 100 payments in 60 s came 3600 s or more after their event_time (rail_lag_s)"
    )
    assert misbehaves(NO_TRAFFIC, LIMITS) is None


@given(st.lists(st.tuples(st.floats(0.1, 40), traffic, silence), max_size=60))
def test_a_wall_stands_for_the_retry_time_at_least_so_that_it_does_not_flap(steps):
    standing, now_s, walled_s, flips = HEALTHY, 0.0, 0.0, 0
    for passed_s, seen, silence_s in steps:
        now_s += passed_s
        after = stands_next(standing, seen, silence_s, LIMITS, now_s)
        if after.is_walled and not standing.is_walled:
            walled_s, flips = now_s, flips + 1
        if standing.is_walled and not after.is_walled:
            assert now_s - walled_s >= LIMITS.retry_s
            assert misbehaves(seen, LIMITS) is None
        standing = after
    assert flips <= 1 + now_s / LIMITS.retry_s


@given(
    traffic,
    silence,
    st.sampled_from([HEALTHY, WALLED, Standing(State.RECOVERING, 1.0, "x"), Standing(State.DARK, 1.0, "x")]),
)
def test_the_same_traffic_at_the_same_time_settles_at_once(seen, silence_s, before):
    """A rail between the limits stays what it was, and none goes back and forth on the same figures."""
    once = stands_next(before, seen, silence_s, LIMITS, 50.0)
    twice = stands_next(once, seen, silence_s, LIMITS, 50.0)
    assert twice is once
