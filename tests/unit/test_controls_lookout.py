"""What the pages tell of the controls that are followed."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from monitor import controls_lookout
from monitor.clock import ManualClock
from monitor.controls.record import Signed
from monitor.controls.topic import ControlsFollower, write_controls
from monitor.controls_lookout import end_following, note_controls, take_controls
from monitor.deciding import DecidingContext
from monitor.embedded.mock import MockCluster
from monitor.observe.health import Degraded, Health
from monitor.observe.metrics import Metrics
from monitor.settings import load_settings
from tests.unit.controls.conftest import NOBODY, NOW, control


@pytest.fixture
def mock():
    with MockCluster() as cluster:
        yield cluster


def test_controls_are_taken_for_the_next_run_and_told_with_what_is_wrong(mock):
    settings = load_settings(environ={}, overrides={"brokers": mock.bootstrap})
    registry = CollectorRegistry()
    metrics, health = Metrics(registry), Health(ManualClock())
    deciding, controls = DecidingContext(settings, ManualClock()), ControlsFollower(settings, NOBODY)

    def told():
        taken = take_controls(controls, deciding)
        note_controls(controls, health, metrics)
        return taken, health.ready()[1]

    taken, page = told()
    assert not taken
    assert page["degraded"] == [Degraded.CONTROLS]
    assert ["topic controls" in each for each in page["refused"]] == [True]
    mock.create_topic(settings.topic_controls, 1)
    good, stale = Signed(control("rail")), Signed(control("rail", state="open", created_at=NOW - 1))
    write_controls(settings, [good, stale])
    taken, page = told()
    assert taken
    assert page["degraded"] == []
    assert page["controls"] == {
        "version": controls.book.version, "suppression": 0, "override": 0, "list_entry": 0, "rail": 1
    }  # fmt: skip
    assert ["not after that of the record before" in each for each in page["refused"]] == [True]
    assert deciding.context.controls.rails == {"card": "walled"}
    assert deciding.versions["controls"] == controls.book.version
    assert told()[0] is False
    assert registry.get_sample_value("monitor_controls", {"kind": "rail"}) == 1
    assert registry.get_sample_value("monitor_controls_refused_total") == 1
    controls.close()


def test_the_event_loop_waits_so_long_only_for_a_look_that_does_not_end(mock, monkeypatch, caplog):
    settings = load_settings(environ={}, overrides={"brokers": mock.bootstrap})
    controls = ControlsFollower(settings, NOBODY)
    monkeypatch.setattr(controls_lookout, "CLOSE_S", 0.05)
    with controls._one_at_a_time:
        asyncio.run(end_following(controls))
    assert caplog.messages == ["controls not closed"]
    monkeypatch.setattr(controls_lookout, "CLOSE_S", 30.0)
    asyncio.run(end_following(controls))
    assert caplog.messages == ["controls not closed"]
