"""The metrics of payment rails: how each stands, and what came over it."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from monitor.observe.declaration import Declaration


class RailFigures(NamedTuple):
    """Of one rail: `admitted` and `rejected` since the start; None where nothing is known."""

    rail: str
    state: str
    admitted: int
    rejected: int
    reject_share: float | None
    lag_s: float | None
    silence_s: float | None


class RailMetrics:
    """Part of the catalogue (`monitor/observe/metrics.py`). Values of `rail` are the channels and `unknown`."""

    def __init__(self, declare: Declaration) -> None:
        self._state = declare.gauge(
            "monitor_rail_state", "1 for the state that a payment rail is in, 0 for the others.", "rail", "state"
        )
        self._records = declare.counters(
            "monitor_rail_records_total",
            "Records committed, by payment rail; what could not be decoded is of the rail unknown.",
            "rail",
            "result",
        )
        self._share = declare.gauge(
            "monitor_rail_reject_share", "Share of rejected records in rail_window_s; NaN without records.", "rail"
        )
        self._lag = declare.gauge(
            "monitor_rail_lag_seconds",
            "Median of Kafka timestamp less event time in rail_window_s, in classes; NaN without payments.",
            "rail",
        )
        self._silence = declare.gauge(
            "monitor_rail_silence_seconds",
            "Time since the last record of the rail; NaN before the first since a rebalance.",
            "rail",
        )
        self._counted: dict[str, tuple[int, int]] = {}

    def show(self, figures: Iterable[RailFigures], states: Sequence[str]) -> None:
        """Bring every series up to date; `states` are all there are."""
        for each in figures:
            for state in states:
                self._state.labels(each.rail, state).set(int(state == each.state))
            admitted, rejected = self._counted.get(each.rail, (0, 0))
            self._records.labels(each.rail, "admitted").inc(each.admitted - admitted)
            self._records.labels(each.rail, "rejected").inc(each.rejected - rejected)
            self._counted[each.rail] = each.admitted, each.rejected
            for gauge, value in (
                (self._share, each.reject_share),
                (self._lag, each.lag_s),
                (self._silence, each.silence_s),
            ):
                gauge.labels(each.rail).set(float("nan") if value is None else value)
