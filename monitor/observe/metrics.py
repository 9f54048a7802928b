"""The catalogue of metrics: every series this program exposes, what it counts, and the methods that move it.

Names: prefix `monitor_`, base units (seconds, records), `_total` for counters. Labels are bounded by this file (reasons, outcomes,
stages) or by the assigned partitions; **never an account, a merchant or a transaction**. docs/metrics.md holds the same
catalogue as a table, and a test holds the two together. A committed run is recorded by one call, `record_run`, from arrays:
about 30 us for 2,000 records. What was not committed is never counted, so that over any stretch of the log::

    transactions_in = transactions_scored + transactions_duplicate + sum of dead_letters
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Unpack, cast

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics
from prometheus_client.process_collector import ProcessCollector

from monitor.guard.reasons import Reason
from monitor.observe import bounds
from monitor.observe.alert_metrics import AlertMetrics
from monitor.observe.build import build_facts
from monitor.observe.control_metrics import ControlMetrics
from monitor.observe.declaration import Declaration
from monitor.observe.health import Degraded
from monitor.observe.model_metrics import ModelMetrics
from monitor.observe.partition_values import PartitionValues
from monitor.observe.rail_metrics import RailMetrics
from monitor.observe.rule_metrics import RuleFigures, RuleMetrics
from monitor.observe.run_figures import SCORED, RunFigures, count_run
from monitor.observe.strain_metrics import StrainMetrics
from monitor.stages import Stage


class Metrics:
    """All metrics of one worker, in a registry that is handed in: there is no global one, so tests and demos can hold several.

    Call its methods on the event loop; a scrape may come from any thread.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # `*_created` series double the counters, and nobody reads them
        declaration = Declaration(registry)
        self._transactions(declaration)
        self._scores(declaration)
        self._time(declaration)
        self._partitions(declaration)
        self._events(declaration)
        # process_cpu_seconds_total, process_resident_memory_bytes, ...: the client library's standard names
        ProcessCollector(registry=registry)
        self.catalogue = tuple(declaration.definitions)
        self._compile()

    # ── the catalogue ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _transactions(self, declare: Declaration) -> None:
        """What became of the records."""
        counter = declare.counter
        self._in = counter("monitor_transactions_in_total", "Records committed: scored, duplicate or dead-lettered.")
        self._scored = counter("monitor_transactions_scored_total", "Transactions that were new to their account.")
        self._duplicate = counter(
            "monitor_transactions_duplicate_total", "Transactions seen before: same key, same content."
        )
        self._replayed = counter(
            "monitor_transactions_replayed_total",
            "Records at or below the audited offset, dropped unread: a restart or rebalance delivered them again.",
        )
        reasons = {int(reason): reason.code for reason in Reason if reason}
        dead = counter(
            "monitor_dead_letters_total", "Records dead-lettered, by reason code.", "reason", [*reasons.values()]
        )
        self._dead = {reason: dead.labels(code) for reason, code in reasons.items()}
        self._alerts = AlertMetrics(declare)
        self._conflicts = counter(
            "monitor_idempotency_conflicts_total",
            "Transactions that reuse an idempotency key with other content: scored, and flagged.",
        )
        self._horizon = declare.histogram(
            "monitor_idempotency_horizon_seconds",
            "Age of a key an account's full memory pushed out: newest event less the key's own.",
            bounds.HORIZON_BOUNDS_S,
        )
        late = counter(
            "monitor_late_total",
            'Transactions behind their account\'s newest event; folded="false" when older than its memory of single events.',
            "folded",
            ("true", "false"),
        )
        self._late_folded, self._late_not_folded = late.labels("true"), late.labels("false")
        self._saturated = counter(
            "monitor_ring_saturated_total",
            "Transactions whose exact short windows were lower bounds, because the account's ring of events was full.",
        )
        self._swept = counter("monitor_accounts_swept_total", "Forgotten accounts, dropped from memory.")
        self._misplaced = counter(
            "monitor_accounts_misplaced_total",
            "New accounts, of a sample, in a partition where Java's partitioner puts no such key.",
        )

    def _scores(self, declare: Declaration) -> None:
        """What models said."""
        self._partial = declare.counter(
            "monitor_transactions_partially_scored_total",
            "Transactions that a part of the model could not judge, mostly for want of a snapshot of risk in force at their time.",
        )
        self._score = declare.histogram(
            "monitor_anomaly_score",
            "Anomaly scores, 0 to 1, higher is stranger; those of degraded runs are missing.",
            bounds.SCORE_BOUNDS,
        )

    def _time(self, declare: Declaration) -> None:
        """How long things take."""
        histogram = declare.histogram
        self._runs = declare.counter("monitor_runs_total", "Runs committed: each is one Kafka transaction.")
        self._run_records = histogram("monitor_run_records", "Records in a run; more under load.", bounds.RUN_BOUNDS)
        self._stage = histogram(
            "monitor_stage_seconds",
            "Time a run spends in a stage.",
            bounds.STAGE_BOUNDS_S,
            label="stage",
            values=[*Stage],
        )
        self._commit = histogram(
            "monitor_commit_seconds",
            "Time of a run's Kafka transaction, from its beginning to the broker's acknowledgement.",
            bounds.COMMIT_BOUNDS_S,
        )
        self._event_lag = histogram(
            "monitor_event_lag_seconds",
            "Detection less event time of scored transactions; below 0 counts as 0.",
            (*bounds.LATENCY_BOUNDS_S, 60.0, 600.0, 3600.0),
        )
        self._latency = histogram(
            "monitor_record_to_commit_seconds",
            "Commit time less Kafka timestamp, of the first and last record of a run: how long until an alert is readable.",
            (*bounds.LATENCY_BOUNDS_S, 60.0),
        )

    def _partitions(self, declare: Declaration) -> None:
        """Where each assigned partition stands; the series of a partition leave with it."""
        meanings = {
            "watermark": ("watermark_seconds", "Largest event time seen, seconds since the epoch."),
            "audited_offset": ("audited_offset", "Last offset decided and committed to the audit log."),
            "audit_height": ("audit_height", "Number of the last audit block."),
            "last_commit": ("last_commit_timestamp_seconds", "Time of the last commit, seconds since the epoch."),
            "accounts": ("accounts", "Accounts held in memory."),
            "lag": ("consumer_lag_records", "Records in the log behind the last committed one."),
            "unstable": (
                "unstable_records",
                "High watermark less last stable offset; a hanging upstream transaction stalls us.",
            ),
            "queue": ("queue_records", "Records fetched that wait to be decided; beyond a bound fetching pauses."),
            "recovery": ("recovery_seconds", "Duration of the last load of the partition's state."),
            "recovered_accounts": ("recovered_accounts", "Accounts loaded by it."),
        }
        self._gauges = {
            key: declare.gauge(f"monitor_{name}", meaning, "partition") for key, (name, meaning) in meanings.items()
        }
        self._children: dict[int, dict[str, Gauge]] = {}
        self._assigned: frozenset[int] | None = None

    def _events(self, declare: Declaration) -> None:
        """What happens to the worker as a whole."""
        self._rebalances = declare.counter("monitor_rebalances_total", "Assignments of partitions received.")
        self._gap_checks = declare.counter(
            "monitor_gap_checks_total",
            "Runs that began beyond the next undecided offset: honest (markers, compaction) or loss (the worker leaves).",
            "result",
            ("honest", "loss"),
        )
        self._degraded = declare.gauge(
            "monitor_degraded", "1 while the worker goes on without a part of itself.", "state"
        )
        for state in Degraded:
            self._degraded.labels(state.value).set(0)
        self._breaker = declare.gauge("monitor_breaker_open", "1 while the breaker of an outside call is open.", "name")
        self.strain = StrainMetrics(declare)
        self.model = ModelMetrics(declare)
        self.rules = RuleMetrics(declare)
        self.rails = RailMetrics(declare)
        self.controls = ControlMetrics(declare)
        build = declare.info(
            "monitor_build_info", "What is running.", "confluent_kafka", "faust_streaming", "python", "version"
        )
        build.info(build_facts())

    def _compile(self) -> None:
        """Compile the kernels now, on nothing, so that the first run does not wait for it."""
        nothing = np.zeros(0)
        count_run(nothing.astype(np.uint8), nothing.astype(np.uint16))
        self._score.observe_values(nothing)
        self._event_lag.observe_ages(nothing.astype(np.int64), 0)

    # ── what moves them ──────────────────────────────────────────────────────────────────────────────────────────────────

    def record_run(self, run: RunFigures) -> None:
        """Count one run, after its commit was acknowledged."""
        n = run.dispositions.shape[0]
        scored, duplicate, rejected, folded, not_folded, conflicts, saturated = count_run(run.dispositions, run.flags)
        self._runs.inc()
        self._in.inc(n)
        for counter, count in (
            (self._scored, scored),
            (self._duplicate, duplicate),
            (self._late_folded, folded),
            (self._late_not_folded, not_folded),
            (self._conflicts, conflicts),
            (self._saturated, saturated),
            (self._swept, run.swept),
            (self._misplaced, run.misplaced),
            (self._partial, run.partial),
        ):
            if count:
                counter.inc(count)
        if rejected:
            self._count_by(self._dead, run.reasons)
        self._alerts.record(run.alert_outcomes, run.held)
        self.strain.record_unexplained(run.unexplained)
        self._run_records.observe(n)
        self._score.observe_values(run.scores)
        times_ms = run.event_times_ms if scored == n else run.event_times_ms[run.dispositions == SCORED]
        self._event_lag.observe_ages(times_ms, run.detected_at_ms)
        self._horizon.observe_values(run.horizons_ms[run.horizons_ms >= 0] / 1000.0)
        self._latency.observe_ages(run.record_times_ms, run.committed_at_ms)
        self._commit.observe(run.commit_s)
        for stage, seconds in run.stages_s.items():
            self._stage.observe(seconds, stage)
        self.set_partition(
            run.partition,
            watermark=run.watermark_ms / 1000,
            audited_offset=run.last_offset,
            audit_height=run.audit_height,
            last_commit=run.committed_at_ms / 1000,
            accounts=run.accounts,
        )

    def record_replayed(self, count: int) -> None:
        """Count records dropped unread because they were decided before."""
        self._replayed.inc(count)

    def record_rebalance(self, assigned: Collection[int]) -> None:
        """Count an assignment; from here on only the gauges of `assigned` exist, and updates of others are dropped."""
        self._rebalances.inc()
        self._assigned = frozenset(assigned)
        for partition in set(self._children) - self._assigned:
            self._drop(partition)

    def record_recovery(self, partition: int, seconds: float, accounts: int) -> None:
        """Note that the state of an assigned partition was loaded."""
        self.set_partition(partition, recovery=seconds, recovered_accounts=accounts, accounts=accounts)

    def record_gap_check(self, *, honest: bool) -> None:
        """Count a run that began beyond the next undecided offset."""
        self._gap_checks.labels("honest" if honest else "loss").inc()

    def set_partition(self, partition: int, **values: Unpack[PartitionValues]) -> None:
        """Set gauges of a partition; without effect on one that is not assigned (any more)."""
        if self._assigned is not None and partition not in self._assigned:
            return
        children = self._children.setdefault(partition, {})
        for name, value in cast(dict[str, float], values).items():
            child = children.get(name)
            if child is None:
                child = children[name] = self._gauges[name].labels(str(partition))
            child.set(value)

    def remove_partition(self, partition: int) -> None:
        """Drop the gauges of a revoked partition: a lag that nobody updates would alarm for ever. Unknown partitions are fine.

        A run of it that is recorded later counts in the totals, and brings no gauge back before the next `record_rebalance`.
        """
        if self._assigned is not None:
            self._assigned -= {partition}
        self._drop(partition)

    def record_rules(self, figures: Iterable[RuleFigures]) -> None:
        """How a committed run went for each rule."""
        self.rules.record(figures)

    def set_degraded(self, state: Degraded, on: bool) -> None:
        """Say whether the worker decides without a part of itself."""
        self._degraded.labels(state.value).set(int(on))

    def set_breaker(self, name: str, *, is_open: bool) -> None:
        """Say whether the breaker `name` is open; names are of our own outside calls."""
        self._breaker.labels(name).set(int(is_open))

    @staticmethod
    def _count_by(counters: Mapping[int, Counter], codes: NDArray[np.uint8]) -> None:
        """Add how often each code occurs, 0 apart, to its counter. Raises KeyError for a code the catalogue does not know."""
        for code, count in enumerate(np.bincount(codes).tolist()):
            if code and count:
                counters[code].inc(count)

    def _drop(self, partition: int) -> None:
        for name in self._children.pop(partition, {}):
            self._gauges[name].remove(str(partition))
