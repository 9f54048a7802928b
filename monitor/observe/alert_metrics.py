"""The metrics of alerts: how many were sent, and how many were recorded without being sent, by what withheld them."""

import numpy as np
from numpy.typing import NDArray

from monitor.observe.declaration import Declaration
from monitor.observe.run_figures import OUTCOMES
from monitor.state.dispositions import Held

WITHHELD_BY = {
    int(Held.WARM_UP): "warm_up",
    int(Held.SUPPRESSED): "suppression",
    int(Held.RAIL): "rail",
    int(Held.COOLING): "cool_down",
}
"""What withholds alerts, as the label `by` has it."""


class AlertMetrics:
    """Part of the catalogue (`monitor/observe/metrics.py`)."""

    def __init__(self, declare: Declaration) -> None:
        sent = declare.counter(
            "monitor_alerts_total",
            "Alerts sent, by outcome; approve is the count that ends a burst.",
            "outcome",
            OUTCOMES,
        )
        self._sent = [sent.labels(outcome) for outcome in OUTCOMES]
        withheld = declare.counter(
            "monitor_alerts_withheld_total",
            "Alerts recorded and not sent, by what withheld them; of the warm-up the decisions alone are recorded.",
            "by",
            [*WITHHELD_BY.values()],
        )
        self._withheld = {held: withheld.labels(by) for held, by in WITHHELD_BY.items()}

    def record(self, outcomes: NDArray[np.uint8], held: NDArray[np.uint8]) -> None:
        """Count a run of n records: `outcomes` uint8[alerts sent]; `held` uint8[n], of `Held`."""
        for counter, count in zip(self._sent, np.bincount(outcomes, minlength=len(OUTCOMES)).tolist(), strict=True):
            if count:
                counter.inc(count)
        counts = np.bincount(held, minlength=len(Held)).tolist()
        for number, counter in self._withheld.items():
            if counts[number]:
                counter.inc(counts[number])
