"""The bulk histogram exposes what prometheus_client's own would, for the same values."""

import math
from threading import Thread

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram

from monitor.observe.bulk_histogram import BulkHistogram

BOUNDS = (0.005, 0.01, 0.25, 1.0, 10.0)
NOW_MS = 1_790_000_000_000


def samples(registry: CollectorRegistry) -> dict[tuple[str, str | None, str | None], float]:
    found = {}
    for family in registry.collect():
        for sample in family.samples:
            found[sample.name, sample.labels.get("le"), sample.labels.get("stage")] = sample.value
    return found


def reference(values: list[float]) -> dict[tuple[str, str | None, str | None], float]:
    registry = CollectorRegistry()
    histogram = Histogram("monitor_x", "x", buckets=BOUNDS, registry=registry)
    for value in values:
        histogram.observe(value)
    return {key: value for key, value in samples(registry).items() if not key[0].endswith("_created")}


def assert_same(ours: CollectorRegistry, values: list[float]) -> None:
    expected = reference(values)
    found = samples(ours)
    assert set(found) == set(expected)
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, rel=1e-9, abs=1e-12), key


@given(st.lists(st.sampled_from(BOUNDS) | st.floats(0, 100)), st.lists(st.sampled_from(BOUNDS) | st.floats(0, 100)))
def test_values_in_bulk_and_one_by_one_give_the_buckets_of_the_client_library(bulk, singles):
    registry = CollectorRegistry()
    histogram = BulkHistogram("monitor_x", "x", BOUNDS, registry)
    histogram.observe_values(np.array(bulk, np.float64))
    for value in singles:
        histogram.observe(value)
    assert_same(registry, [*bulk, *singles])


@given(st.lists(st.sampled_from([5, 10, 250, 1000, 10_000]) | st.integers(0, 100_000)))
def test_ages_in_ms_fall_into_buckets_of_seconds(ages_ms):
    registry = CollectorRegistry()
    histogram = BulkHistogram("monitor_x", "x", BOUNDS, registry)
    histogram.observe_ages(np.array([NOW_MS - age for age in ages_ms], np.int64), NOW_MS)
    assert_same(registry, [age / 1000 for age in ages_ms])


def test_a_clock_that_runs_ahead_counts_as_age_0_so_the_sum_never_falls():
    registry = CollectorRegistry()
    histogram = BulkHistogram("monitor_x", "x", BOUNDS, registry)
    histogram.observe_ages(np.array([NOW_MS + 250_000, NOW_MS - 1000], np.int64), NOW_MS)
    assert_same(registry, [0.0, 1.0])


def test_a_missing_timestamp_and_a_missing_score_are_not_counted():
    registry = CollectorRegistry()
    histogram = BulkHistogram("monitor_x", "x", BOUNDS, registry)
    histogram.observe_ages(np.array([-1, NOW_MS - 7], np.int64), NOW_MS)
    histogram.observe_values(np.array([math.nan, 0.5]))
    assert_same(registry, [0.007, 0.5])


def test_no_values_change_nothing():
    registry = CollectorRegistry()
    histogram = BulkHistogram("monitor_x", "x", BOUNDS, registry)
    histogram.observe_values(np.zeros(0))
    histogram.observe_ages(np.zeros(0, np.int64), NOW_MS)
    assert_same(registry, [])


def test_each_declared_label_value_has_its_own_series_from_the_start():
    registry = CollectorRegistry()
    histogram = BulkHistogram("monitor_x", "x", BOUNDS, registry, label="stage", label_values=("fold", "score"))
    histogram.observe(0.3, "fold")
    found = samples(registry)
    assert found["monitor_x_bucket", "0.25", "fold"] == 0
    assert found["monitor_x_bucket", "1.0", "fold"] == 1
    assert found["monitor_x_count", None, "score"] == 0


def test_a_label_value_that_was_not_declared_is_refused():
    histogram = BulkHistogram("monitor_x", "x", BOUNDS, CollectorRegistry(), label="stage", label_values=("fold",))
    with pytest.raises(KeyError):
        histogram.observe(0.3, "account-17")


def test_a_name_is_taken_only_once():
    registry = CollectorRegistry()
    BulkHistogram("monitor_x", "x", BOUNDS, registry)
    with pytest.raises(ValueError, match="Duplicate"):
        BulkHistogram("monitor_x", "x", BOUNDS, registry)


def test_updates_from_several_threads_are_all_counted():
    registry = CollectorRegistry()
    histogram = BulkHistogram("monitor_x", "x", BOUNDS, registry)
    values = np.full(500, 0.1)

    def update() -> None:
        for _ in range(200):
            histogram.observe_values(values)
            histogram.observe(0.1)

    threads = [Thread(target=update) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert samples(registry)["monitor_x_count", None, None] == 4 * 200 * 501
