"""Alive and ready, as a table of what was noted and how much time passed."""

from collections.abc import Callable

import pytest

from monitor.clock import ManualClock
from monitor.observe.health import Degraded, Health, Limits

LIMITS = Limits(poll_s=300, run_s=60, recovery_s=600)
Step = Callable[[Health, ManualClock], None]


def wait(seconds: float) -> Step:
    return lambda _, clock: clock.advance_ms(int(seconds * 1000))


def note(name: str, *arguments: object) -> Step:
    return lambda health, _: getattr(health, f"note_{name}")(*arguments)


def after(*steps: Step) -> Health:
    clock = ManualClock()
    health = Health(clock, LIMITS)
    for step in steps:
        step(health, clock)
    return health


STARTED = note("started")
POLL = note("poll")
SERVING = (STARTED, note("model", "m1"), note("assigned", [0, 1]), note("recovered", 0), note("recovered", 1), POLL)


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ((STARTED,), None),
        ((wait(9999), STARTED, wait(300)), None),
        ((STARTED, wait(301)), "no fetch came back for 301.0 s"),
        ((STARTED, wait(200), POLL, wait(200)), None),
        ((STARTED, POLL, wait(301)), "no fetch came back for 301.0 s"),
        ((*SERVING, note("run", 1), wait(60)), None),
        ((*SERVING, note("run", 1), wait(61)), "the run of partition 1 is in flight for 61.0 s"),
        ((*SERVING, note("run", 1), note("commit", 1), wait(61)), None),
        ((*SERVING, note("run", 0), note("run", 1), note("commit", 1), wait(61)), "the run of partition 0"),
        ((*SERVING, note("run", 1), note("revoked", [1]), wait(61)), None),
        ((STARTED, note("assigned", [4]), wait(290), POLL, wait(290), POLL, wait(19)), None),
        ((STARTED, note("assigned", [4, 5]), note("recovered", 5), wait(290), POLL, wait(290), POLL, wait(21)), "partitions [4] not recovered after 601.0 s"),
        ((STARTED, note("assigned", []), wait(9999)), None),
        ((STARTED, POLL, note("assigned", [4]), wait(590)), None),
        ((STARTED, POLL, note("assigned", [4]), wait(590), note("recovered", 4), wait(290)), None),
        ((*SERVING, wait(301)), "no fetch came back for 301.0 s"),
        ((*SERVING, note("fatal", "CommitError"), note("fatal", "consequence")), "fatal: CommitError"),
        ((*SERVING, note("degraded", Degraded.MODEL, True)), None),
    ],
)  # fmt: skip
def test_alive_means_progress(steps, problem):
    ok, detail = after(*steps).live()
    assert ok is (problem is None)
    assert detail["live"] is ok
    if problem is None:
        assert detail["problems"] == []
    else:
        assert len(detail["problems"]) == 1
        assert detail["problems"][0].startswith(problem)


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        (SERVING, None),
        (SERVING[:1], "no assignment of partitions yet"),
        (SERVING[:4], "the state of partitions [1] is being loaded"),
        ((STARTED, note("assigned", [0]), note("recovered", 0)), "no model loaded yet"),
        ((STARTED, note("assigned", [0]), note("recovered", 0), note("degraded", Degraded.MODEL, True)), None),
        ((*SERVING, note("degraded", Degraded.SCHEMAS, True)), None),
        ((STARTED, note("model", "m1"), note("assigned", [])), None),
        ((*SERVING, note("revoked", [0, 1])), "no assignment of partitions yet"),
        ((*SERVING, note("revoked", [0, 1]), note("assigned", [1])), "the state of partitions [1] is being loaded"),
        ((*SERVING, note("assigned", [0, 1, 2])), "the state of partitions [2] is being loaded"),
        ((STARTED, note("model", "m1"), note("assigned", [0]), note("recovered", 7)), "the state of partitions [0] is being loaded"),
        ((*SERVING, wait(301)), "not live; /live says why"),
        ((*SERVING, note("fatal", "GapError")), "fatal: GapError"),
    ],
)  # fmt: skip
def test_ready_means_able_to_decide(steps, problem):
    ok, detail = after(*steps).ready()
    assert ok is (problem is None)
    assert detail["ready"] is ok
    assert problem is None or problem in detail["problems"]


def test_all_problems_are_listed_at_once():
    _, detail = after(STARTED, note("fatal", "x"), wait(301)).live()
    assert len(detail["problems"]) == 2


def test_the_detail_tells_ages_and_partitions():
    health = after(*SERVING, note("run", 1), wait(2), note("commit", 1), note("run", 0), wait(3))
    _, live = health.live()
    assert (live["uptime_s"], live["poll_age_s"], live["commit_age_s"], live["runs_in_flight"]) == (5.0, 5.0, 3.0, 1)
    _, ready = health.ready()
    assert (ready["assigned"], ready["recovered"], ready["model"], ready["degraded"]) == ([0, 1], [0, 1], "m1", [])


def test_ages_of_what_never_happened_are_null():
    _, live = after(STARTED).live()
    assert live["poll_age_s"] is None
    assert live["commit_age_s"] is None


def test_a_verdict_can_be_asked_for_another_time():
    clock = ManualClock()
    health = Health(clock, LIMITS)
    health.note_started()
    assert health.live(clock.monotonic_s() + 300)[0]
    assert not health.live(clock.monotonic_s() + 301)[0]
    assert not health.ready(clock.monotonic_s() + 301)[0]


def test_a_model_that_loads_ends_the_degraded_state():
    _, detail = after(*SERVING, note("degraded", Degraded.MODEL, True), note("model", "m2")).ready()
    assert detail["degraded"] == []
    assert detail["model"] == "m2"
