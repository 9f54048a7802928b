"""What the pages and the log are told of a worker that goes on without a part of itself."""

import logging

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from monitor.artifacts import Artifacts
from monitor.clock import ManualClock
from monitor.lookout import note_artifacts, note_degraded, note_hanging, note_strain
from monitor.observe.clock_watch import AT_LEAST
from monitor.observe.health import Degraded, Health
from monitor.observe.metrics import Metrics
from monitor.partition import Surroundings
from monitor.risk.book import Book, Snapshot
from monitor.shedding import HOLD_S, Shedding


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
def around(registry):
    """What a partition uses, as far as strain is concerned."""
    clock = ManualClock()
    return Surroundings(
        takeover=None, context=None, executor=None, clock=clock, metrics=Metrics(registry), health=Health(clock),
        fatal=None, max_run_records=1, max_queue_records=1, shedding=Shedding(60),
    )  # fmt: skip


def test_a_change_is_logged_once_and_told_on_both_pages(around, registry, caplog):
    caplog.set_level(logging.WARNING)
    for on in (False, True, True, False, False):
        note_degraded(Degraded.RISK, on, around.health, around.metrics)
        assert (Degraded.RISK in around.health.degraded) is on
        assert registry.get_sample_value("monitor_degraded", {"state": "risk"}) == on
    assert [(record.message, record.state) for record in caplog.records] == [
        ("degraded", "risk"),
        ("no longer degraded", "risk"),
    ]


def test_a_clock_that_is_behind_is_told_with_how_much_and_taken_back(around, registry):
    now_ms, monotonic_s = around.clock.now_ms(), around.clock.monotonic_s()
    for _ in range(AT_LEAST):
        around.clock_watch.note(0, now_ms + 5_000, now_ms, monotonic_s)
    note_strain(around)
    assert around.health.degraded == {Degraded.CLOCK}
    assert registry.get_sample_value("monitor_clock_skew_seconds") == 5.0
    around.clock_watch.forget(0)
    note_strain(around)
    assert around.health.degraded == frozenset()
    assert registry.get_sample_value("monitor_clock_skew_seconds") == 0.0


def test_a_clock_that_is_right_has_no_skew_however_runs_lag(around, registry):
    now_ms, monotonic_s = around.clock.now_ms(), around.clock.monotonic_s()
    for _ in range(AT_LEAST):
        around.clock_watch.note(0, now_ms - 5_000, now_ms, monotonic_s)
    note_strain(around)
    assert around.health.degraded == frozenset()
    assert registry.get_sample_value("monitor_clock_skew_seconds") == 0.0


def test_artifacts_that_hang_are_told_beside_what_was_refused_and_logged_once(around, registry, caplog):
    caplog.set_level(logging.ERROR)
    held = Artifacts(None, Book(), None, refused=("models/x: altered",))
    for _ in range(3):
        note_hanging(held, (), 30.0, around.health, around.metrics, around.clock)
        assert around.health.refused[0] == "models/x: altered"
        assert "models_dir, rules_dir, risk_dir: one of them does not answer for 30 s" in around.health.refused[1]
        assert registry.get_sample_value("monitor_artifacts_refused") == 2.0
    assert [record.message for record in caplog.records] == ["refused"]
    note_artifacts(held, (), around.health, around.metrics, around.clock)
    assert around.health.refused == held.refused
    assert registry.get_sample_value("monitor_artifacts_refused") == 1.0


def test_a_snapshot_that_runs_out_while_artifacts_hang_is_told(around):
    until_ms = around.clock.now_ms() + 1_000
    held = Artifacts(None, Book.of([Snapshot("r-1", 0, until_ms, 0, ())]), None)
    for told in (False, True):
        note_hanging(held, (0,), 30.0, around.health, around.metrics, around.clock)
        assert (Degraded.RISK in around.health.degraded) is told
        around.clock.advance_ms(1_000)


def test_late_runs_are_told_until_there_were_none_for_a_while(around):
    now_ms = around.clock.now_ms()
    around.shedding.sheds(np.array([now_ms - 61_000]), now_ms, around.clock.monotonic_s())
    note_strain(around)
    assert around.health.degraded == {Degraded.EXPLANATIONS}
    around.clock.advance_ms(round(HOLD_S * 1000) + 1)
    note_strain(around)
    assert around.health.degraded == frozenset()
