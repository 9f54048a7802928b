"""The series of rails: one state each, counts that only grow, NaN for what is not known."""

import math

import pytest
from prometheus_client import CollectorRegistry

from monitor.observe.metrics import Metrics
from monitor.observe.rail_metrics import RailFigures

STATES = ("healthy", "walled", "dark")


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
def metrics(registry):
    return Metrics(registry)


def test_a_rail_is_in_one_state_and_its_counts_grow_by_what_came(metrics, registry):
    metrics.rails.show([RailFigures("card", "healthy", 10, 2, 0.25, 5.0, 0.5)], STATES)
    metrics.rails.show([RailFigures("card", "walled", 10, 8, 0.5, 60.0, 1.5)], STATES)
    value = registry.get_sample_value
    assert {state: value("monitor_rail_state", {"rail": "card", "state": state}) for state in STATES} == {
        "healthy": 0, "walled": 1, "dark": 0,
    }  # fmt: skip
    assert value("monitor_rail_records_total", {"rail": "card", "result": "admitted"}) == 10
    assert value("monitor_rail_records_total", {"rail": "card", "result": "rejected"}) == 8
    assert value("monitor_rail_reject_share", {"rail": "card"}) == 0.5
    assert value("monitor_rail_lag_seconds", {"rail": "card"}) == 60
    assert value("monitor_rail_silence_seconds", {"rail": "card"}) == 1.5


def test_what_is_not_known_is_not_a_number_and_counters_start_at_0(metrics, registry):
    metrics.rails.show([RailFigures("wallet", "healthy", 0, 0, None, None, None)], STATES)
    value = registry.get_sample_value
    for name in ("reject_share", "lag_seconds", "silence_seconds"):
        assert math.isnan(value(f"monitor_rail_{name}", {"rail": "wallet"}))
    assert value("monitor_rail_records_total", {"rail": "wallet", "result": "rejected"}) == 0
