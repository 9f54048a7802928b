"""The metrics of a worker that goes on although something around it is wrong: what its alerts go without, and how far its clock is behind."""

from monitor.observe.declaration import Declaration


class StrainMetrics:
    """Part of the catalogue (`monitor/observe/metrics.py`)."""

    def __init__(self, declare: Declaration) -> None:
        self._unexplained = declare.counter(
            "monitor_alerts_unexplained_total",
            "Alerts, sent or withheld, that a model scored and that go without its explanation, because they were decided later than `shed_after_s`.",
        )
        self._skew = declare.gauge(
            "monitor_clock_skew_seconds",
            "How far this machine's clock is behind the Kafka timestamps of records, at least; 0 while it is not, or nothing is known.",
        )

    def record_unexplained(self, alerts: int) -> None:
        """Count a run's alerts that went without."""
        if alerts:
            self._unexplained.inc(alerts)

    def set_clock_skew(self, behind_ms: int) -> None:
        """How far the clock is behind, ms; below 0 it is not."""
        self._skew.set(max(0, behind_ms) / 1000)
