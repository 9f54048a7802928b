"""What the pages, the metrics and the log are told of rails."""

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client import CollectorRegistry

from monitor.clock import ManualClock
from monitor.observe.health import Degraded, Health
from monitor.observe.metrics import Metrics
from monitor.partition import Surroundings
from monitor.rail_lookout import rail_limits, tell_rails
from monitor.rails.limits import RAILS, RailLimits
from monitor.settings import load_settings
from tests.unit.rails.conftest import Rails


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
def around(registry):
    """A worker's surroundings without a broker; its watch is `Rails.watch`, at the same time of day as the clock."""
    clock = ManualClock()
    with ThreadPoolExecutor(1) as executor:
        yield Surroundings(
            takeover=None,  # type: ignore[arg-type]  # nothing is taken over here
            context=None,  # type: ignore[arg-type]
            executor=executor,
            clock=clock,
            metrics=Metrics(registry),
            health=Health(clock),
            fatal=lambda _: None,
            max_run_records=1,
            max_queue_records=1,
        )


def test_the_limits_are_the_settings_and_their_defaults_agree():
    assert rail_limits(load_settings(environ={})) == RailLimits()
    values = {
        "rail_outcome": "block", "rail_window_s": 2, "rail_reject_share": 0.3, "rail_least_records": 4,
        "rail_lag_s": 5, "rail_retry_s": 6, "rail_silence_s": 7, "reject_stop_records": 8,
    }  # fmt: skip
    assert rail_limits(load_settings(environ={}, overrides=values)) == RailLimits(2, 2, 0.3, 4, 5, 6, 7, 8)


def test_every_rail_and_state_has_its_series_from_the_start(around, registry):
    tell_rails(around, {})
    for rail in RAILS:
        assert registry.get_sample_value("monitor_rail_state", {"rail": rail, "state": "healthy"}) == 1
        assert registry.get_sample_value("monitor_rail_state", {"rail": rail, "state": "dark"}) == 0
    assert [each["rail"] for each in around.health.rails["rails"]] == list(RAILS)
    assert around.health.degraded == frozenset()


def test_a_rail_that_is_walled_off_degrades_the_worker_and_is_logged_once(around, registry, caplog):
    on = Rails()
    on.watch, on.now_s = around.rails, around.clock.monotonic_s()
    on.send("wallet", good=10, bad=90)
    with caplog.at_level(logging.INFO, "monitor.rail_lookout"):
        for _ in range(3):
            around.clock.advance_ms(1_000)
            tell_rails(around, {})
    ((line,),) = ([each for each in caplog.records if each.message == "rail"],)
    assert (line.levelname, line.rail, line.before, line.state) == ("WARNING", "wallet", "healthy", "walled")
    assert around.health.degraded == {Degraded.RAIL}
    (told,) = around.health.ready()[1]["rails"]
    assert told["since_ms"] == around.clock.now_ms() - 3_000
    assert "90 of 100 records" in told["why"]
    assert around.health.rails["walled"] == "wallet=review"
    assert registry.get_sample_value("monitor_degraded", {"state": "rail"}) == 1
    assert registry.get_sample_value("monitor_rail_records_total", {"rail": "wallet", "result": "rejected"}) == 90


def test_a_rail_that_turns_dark_is_seen_without_any_run_and_degrades_nothing(around):
    on = Rails()
    on.watch, on.now_s = around.rails, around.clock.monotonic_s()
    on.send("card", good=100)
    tell_rails(around, {})
    around.clock.advance_ms(300_000)
    tell_rails(around, {})
    (told,) = around.health.ready()[1]["rails"]
    assert (told["rail"], told["state"], told["silence_s"]) == ("card", "dark", 300.0)
    assert around.health.degraded == frozenset()


def test_what_a_person_says_is_obeyed_and_taken_back(around):
    tell_rails(around, {"card": "walled"})
    assert around.rails.walled.name == "card=review"
    (told,) = around.health.ready()[1]["rails"]
    assert (told["rail"], told["state"], told["by_hand"]) == ("card", "walled", True)
    tell_rails(around, {})
    assert around.rails.walled.name == ""
