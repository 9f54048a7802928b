"""The metrics of controls: how many are not withdrawn, and how many records were passed over."""

from collections.abc import Mapping

from monitor.observe.declaration import Declaration


class ControlMetrics:
    """Part of the catalogue (`monitor/observe/metrics.py`)."""

    def __init__(self, declare: Declaration) -> None:
        self._controls = declare.gauge(
            "monitor_controls", "Controls that are not withdrawn; their time may be over.", "kind"
        )
        self._refused = declare.counter(
            "monitor_controls_refused_total",
            "Records of controls passed over since the start: malformed, or without the signatures they need; /ready says why.",
        )
        self._told = 0

    def set_controls(self, counts: Mapping[str, int], refusals: int) -> None:
        """How many there are by kind, and how many records were passed over so far."""
        for kind, count in counts.items():
            self._controls.labels(kind).set(count)
        self._refused.inc(refusals - self._told)
        self._told = refusals
