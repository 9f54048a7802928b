"""What a committed run does to the metrics, and which series exist when."""

import re
from collections.abc import Callable
from dataclasses import fields

import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from monitor.guard.reasons import Reason
from monitor.observe.bounds import COMMIT_BOUNDS_S, LATENCY_BOUNDS_S
from monitor.observe.health import Degraded
from monitor.observe.metrics import Metrics
from monitor.observe.run_figures import (
    CONFLICT,
    DUPLICATE,
    LATE,
    LATE_NOT_FOLDED,
    OUTCOMES,
    REJECTED,
    RING_SATURATED,
    RunFigures,
    Stage,
)
from monitor.settings import Settings
from monitor.state.dispositions import Held

NOW_MS = 1_790_000_000_000
Make = Callable[..., RunFigures]


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> Metrics:
    return Metrics(registry)


def partitions_shown(registry: CollectorRegistry) -> set[str]:
    return {s.labels["partition"] for family in registry.collect() for s in family.samples if "partition" in s.labels}


def test_every_record_in_is_scored_or_a_duplicate_or_a_dead_letter(metrics, registry, run_figures: Make):
    dispositions = np.array([0, DUPLICATE, REJECTED, REJECTED, 0, REJECTED], np.uint8)
    reasons = np.array([0, 0, Reason.WRONG_MAGIC, Reason.SUM_OVERFLOW, 0, Reason.WRONG_MAGIC], np.uint8)
    metrics.record_run(run_figures(6, dispositions=dispositions, reasons=reasons))
    metrics.record_run(run_figures(1))
    value = registry.get_sample_value
    dead = sum(value("monitor_dead_letters_total", {"reason": reason.code}) for reason in Reason if reason)
    assert value("monitor_transactions_in_total") == 7
    assert value("monitor_transactions_scored_total") == 3
    assert value("monitor_transactions_duplicate_total") == 1
    assert value("monitor_dead_letters_total", {"reason": "wrong_magic"}) == 2
    assert value("monitor_dead_letters_total", {"reason": "sum_overflow"}) == 1
    assert dead == 3
    assert value("monitor_runs_total") == 2


def test_replayed_records_count_apart(metrics, registry):
    metrics.record_replayed(12)
    assert registry.get_sample_value("monitor_transactions_replayed_total") == 12
    assert registry.get_sample_value("monitor_transactions_in_total") == 0


def test_alerts_count_by_outcome_and_what_was_withheld_by_what_did_it(metrics, registry, run_figures: Make):
    held = np.array([Held.SENT, Held.COOLING, Held.COOLING, Held.SUPPRESSED, Held.RAIL, Held.SUMMARY], np.uint8)
    metrics.record_run(run_figures(6, alert_outcomes=np.array([1, 2, 2, 0], np.uint8), held=held))
    alerts = {each: registry.get_sample_value("monitor_alerts_total", {"outcome": each}) for each in OUTCOMES}
    assert alerts == {"approve": 1, "review": 1, "block": 2}
    by = ("warm_up", "suppression", "rail", "cool_down")
    withheld = {each: registry.get_sample_value("monitor_alerts_withheld_total", {"by": each}) for each in by}
    assert withheld == {"warm_up": 0, "suppression": 1, "rail": 1, "cool_down": 2}


def test_flags_count_late_conflicting_and_saturated_transactions(metrics, registry, run_figures: Make):
    flags = np.array([LATE, LATE | LATE_NOT_FOLDED, CONFLICT | LATE, RING_SATURATED], np.uint16)
    metrics.record_run(run_figures(4, flags=flags))
    assert registry.get_sample_value("monitor_late_total", {"folded": "true"}) == 2
    assert registry.get_sample_value("monitor_late_total", {"folded": "false"}) == 1
    assert registry.get_sample_value("monitor_idempotency_conflicts_total") == 1
    assert registry.get_sample_value("monitor_ring_saturated_total") == 1


def test_only_scored_transactions_have_an_event_lag(metrics, registry, run_figures: Make):
    dispositions = np.array([0, REJECTED, DUPLICATE], np.uint8)
    reasons = np.array([0, Reason.EVENT_TIME_IN_FUTURE, 0], np.uint8)
    times_ms = np.array([NOW_MS - 30, 0, NOW_MS - 500], np.int64)
    metrics.record_run(run_figures(3, dispositions=dispositions, reasons=reasons, event_times_ms=times_ms))
    assert registry.get_sample_value("monitor_event_lag_seconds_count") == 1
    assert registry.get_sample_value("monitor_event_lag_seconds_bucket", {"le": "0.025"}) == 0
    assert registry.get_sample_value("monitor_event_lag_seconds_bucket", {"le": "0.05"}) == 1


def test_a_run_is_timed_by_stage_by_commit_and_from_record_to_commit(metrics, registry, run_figures: Make):
    metrics.record_run(run_figures(4, stages_s={Stage.FOLD: 0.002}))
    value = registry.get_sample_value
    assert value("monitor_stage_seconds_sum", {"stage": "fold"}) == pytest.approx(0.002)
    assert value("monitor_stage_seconds_count", {"stage": "score"}) == 0
    assert value("monitor_commit_seconds_bucket", {"le": "0.004"}) == 1
    assert value("monitor_record_to_commit_seconds_sum") == pytest.approx(4 * 0.024)
    assert value("monitor_run_records_sum") == 4
    assert value("monitor_anomaly_score_sum") == pytest.approx(4 * 0.42)


def test_a_degraded_run_has_no_scores_and_still_counts(metrics, registry, run_figures: Make):
    metrics.record_run(run_figures(2, scores=np.full(2, np.nan)))
    assert registry.get_sample_value("monitor_anomaly_score_count") == 0
    assert registry.get_sample_value("monitor_transactions_scored_total") == 2


def test_a_code_outside_the_catalogue_is_an_error_and_never_a_silent_hole(metrics, run_figures: Make):
    rejected = np.full(1, REJECTED, np.uint8)
    with pytest.raises(KeyError):
        metrics.record_run(run_figures(1, dispositions=rejected, reasons=np.array([79], np.uint8)))


def test_a_run_moves_the_gauges_of_its_partition(metrics, registry, run_figures: Make):
    metrics.record_run(run_figures(4))
    metrics.set_partition(3, lag=40, queue=8, unstable=2)
    labels = {"partition": "3"}
    value = registry.get_sample_value
    assert value("monitor_watermark_seconds", labels) == NOW_MS / 1000 - 0.03
    assert value("monitor_audited_offset", labels) == 1003
    assert value("monitor_audit_height", labels) == 17
    assert value("monitor_last_commit_timestamp_seconds", labels) == NOW_MS / 1000 + 0.004
    assert value("monitor_accounts", labels) == 5
    assert value("monitor_consumer_lag_records", labels) == 40
    assert value("monitor_queue_records", labels) == 8
    assert value("monitor_unstable_records", labels) == 2


def test_a_revoked_partition_takes_its_series_along(metrics, registry, run_figures: Make):
    metrics.record_rebalance([3, 4])
    metrics.record_run(run_figures(4))
    metrics.record_recovery(4, seconds=1.5, accounts=20)
    metrics.remove_partition(3)
    metrics.remove_partition(99)
    assert partitions_shown(registry) == {"4"}
    assert registry.get_sample_value("monitor_transactions_in_total") == 4


def test_a_run_recorded_after_the_revocation_counts_and_brings_no_gauge_back(metrics, registry, run_figures: Make):
    metrics.record_rebalance([3])
    metrics.remove_partition(3)
    metrics.record_run(run_figures(4))
    assert partitions_shown(registry) == set()
    assert registry.get_sample_value("monitor_transactions_in_total") == 4
    metrics.record_rebalance([3])
    metrics.record_run(run_figures(4))
    assert partitions_shown(registry) == {"3"}


def test_an_assignment_drops_the_series_of_partitions_not_in_it(metrics, registry):
    metrics.record_rebalance([0, 1])
    metrics.set_partition(0, lag=1)
    metrics.set_partition(1, lag=1)
    metrics.record_rebalance({1, 2})
    assert partitions_shown(registry) == {"1"}
    assert registry.get_sample_value("monitor_rebalances_total") == 2


def test_a_recovery_shows_its_duration_and_accounts(metrics, registry):
    metrics.record_recovery(2, seconds=1.25, accounts=300)
    assert registry.get_sample_value("monitor_recovery_seconds", {"partition": "2"}) == 1.25
    assert registry.get_sample_value("monitor_recovered_accounts", {"partition": "2"}) == 300
    assert registry.get_sample_value("monitor_accounts", {"partition": "2"}) == 300


def test_a_gap_is_honest_or_a_loss(metrics, registry):
    metrics.record_gap_check(honest=True)
    metrics.record_gap_check(honest=True)
    metrics.record_gap_check(honest=False)
    assert registry.get_sample_value("monitor_gap_checks_total", {"result": "honest"}) == 2
    assert registry.get_sample_value("monitor_gap_checks_total", {"result": "loss"}) == 1


def test_degraded_states_are_0_until_they_are_not(metrics, registry):
    assert [registry.get_sample_value("monitor_degraded", {"state": s}) for s in Degraded] == [0] * len(Degraded)
    metrics.set_degraded(Degraded.MODEL, True)
    metrics.set_breaker("schema_registry", is_open=True)
    assert registry.get_sample_value("monitor_degraded", {"state": "model"}) == 1
    assert registry.get_sample_value("monitor_breaker_open", {"name": "schema_registry"}) == 1
    metrics.set_degraded(Degraded.MODEL, False)
    metrics.set_breaker("schema_registry", is_open=False)
    assert registry.get_sample_value("monitor_degraded", {"state": "model"}) == 0
    assert registry.get_sample_value("monitor_breaker_open", {"name": "schema_registry"}) == 0


def test_a_new_model_replaces_the_one_before(metrics, registry):
    metrics.model.set_version("a", "lean@1")
    metrics.model.set_version("b", "lean@1")
    shown = [s.labels for family in registry.collect() for s in family.samples if s.name == "monitor_model_info"]
    assert shown == [{"version": "b", "feature_set": "lean@1"}]


def test_no_label_names_an_account_a_merchant_or_a_transaction(metrics):
    allowed = {
        "reason",
        "outcome",
        "folded",
        "stage",
        "partition",
        "result",
        "state",
        "name",
        "channel",
        "feature",
        "watcher",
        "rule",
        "by",
        "rail",
        "kind",
    }
    info = {"feature_set", "version", "python", "faust_streaming", "confluent_kafka"}
    for definition in metrics.catalogue:
        assert set(definition.labels) <= (info if definition.kind == "info" else allowed), definition.name


def test_names_keep_the_conventions(metrics):
    for definition in metrics.catalogue:
        assert re.fullmatch(r"monitor_[a-z][a-z_]*[a-z]", definition.name)
        assert definition.name.endswith("_total") == (definition.kind == "counter"), definition.name
        assert definition.name.endswith("_info") == (definition.kind == "info"), definition.name
        assert not re.search(r"_(ms|us|minutes|kb|percent)(_|$)", definition.name), definition.name
        assert definition.meaning.endswith("."), definition.name


def test_the_exposition_is_read_by_the_strict_parser(metrics, registry, run_figures: Make):
    metrics.record_run(run_figures(4))
    metrics.record_recovery(3, 1.0, 5)
    metrics.model.set_version("a", "lean@1")
    families = {f.name for f in text_string_to_metric_families(generate_latest(registry).decode())}
    declared = {d.name.removesuffix("_total").removesuffix("_info") for d in metrics.catalogue}
    assert declared <= families


def test_two_workers_in_one_process_do_not_share_metrics(run_figures: Make):
    one, other = CollectorRegistry(), CollectorRegistry()
    Metrics(one).record_run(run_figures(4))
    Metrics(other)
    assert one.get_sample_value("monitor_runs_total") == 1
    assert other.get_sample_value("monitor_runs_total") == 0


def test_the_objectives_and_the_commit_timeout_are_bucket_edges():
    assert {0.02, 0.025, 0.05} <= set(LATENCY_BOUNDS_S)
    assert LATENCY_BOUNDS_S[0] == 0.005
    assert LATENCY_BOUNDS_S[-1] == 10
    assert Settings.model_fields["commit_timeout_s"].default in COMMIT_BOUNDS_S


def test_a_run_without_one_of_its_figures_cannot_be_made(run_figures: Make):
    whole = {field.name: getattr(run_figures(1), field.name) for field in fields(RunFigures)}
    for name in whole:
        with pytest.raises(TypeError, match=name):
            RunFigures(**{key: value for key, value in whole.items() if key != name})


def test_keys_pushed_out_are_counted_by_age_and_room_is_not(metrics, registry, run_figures: Make):
    metrics.record_run(run_figures(4, horizons_ms=np.array([-1, 0, 3_600_000, 3_600_001], np.int64)))
    metrics.record_run(run_figures(2, horizons_ms=np.full(2, -1, np.int64)))
    value, name = registry.get_sample_value, "monitor_idempotency_horizon_seconds"
    assert value(f"{name}_count") == 3
    assert value(f"{name}_bucket", {"le": "60.0"}) == 1
    assert value(f"{name}_bucket", {"le": "3600.0"}) == 2
    assert value(f"{name}_sum") == pytest.approx(7200.001)


def test_swept_accounts_are_counted(metrics, registry, run_figures: Make):
    metrics.record_run(run_figures(4, swept=3))
    metrics.record_run(run_figures(4))
    assert registry.get_sample_value("monitor_accounts_swept_total") == 3
