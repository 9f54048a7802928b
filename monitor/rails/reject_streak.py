"""Nothing but rejects: when what comes in is wrong as a whole, the worker leaves, and does not carry the topic over into the dead letters."""

import numpy as np
from numpy.typing import NDArray

from monitor.errors import OnlyRejectsError
from monitor.guard.reasons import Reason
from monitor.rails.limits import RailLimits
from monitor.wire.records import Run

STARTING_S = 2.0
"""A worker that has admitted nothing yet waits so long for a partition or a rail that is well."""

REASONS_TOLD = 3


class RejectStreaks:
    """Records rejected in a row, by partition, since this worker last admitted one of whatever rail and partition.

    One bad rail must not stop the others: only when nothing at all was admitted for `window_s`, or ever, does a streak count.
    """

    def __init__(self, limits: RailLimits) -> None:
        self._limits = limits
        self._patient_until_s: float | None = None
        self._counts: dict[int, NDArray[np.int64]] = {}

    def forget(self) -> None:
        """Other partitions are ours now: what was in a row is no longer."""
        self._counts.clear()
        self._patient_until_s = None

    def record(self, run: Run, reasons: NDArray[np.uint8], any_admitted: bool, now_s: float) -> None:
        """A committed run; `reasons` uint8[n]. Raises `OnlyRejectsError` when it ends a streak of `reject_stop_records`; 0: never."""
        if any_admitted:
            self._counts.clear()
            self._patient_until_s = now_s + self._limits.window_s
            return
        if self._patient_until_s is None:
            self._patient_until_s = now_s + STARTING_S
        found = np.bincount(reasons, minlength=256)
        counts = self._counts[run.partition] = self._counts.get(run.partition, 0) + found
        most = self._limits.reject_stop_records
        if most and counts.sum() >= most and now_s >= self._patient_until_s:
            raise OnlyRejectsError(
                f"{run.topic}[{run.partition}]: the last {counts.sum():,} records up to offset {run.last_offset} were all rejected ({_told(counts)}), and no rail "
                f"had one that was admitted; mend the producer, the schema or the settings that the reasons speak of, then restart, and replay the dead "
                f"letters (reject_stop_records = {most}; 0 goes on whatever comes)"
            )


def _told(counts: NDArray[np.int64]) -> str:
    commonest = [each for each in np.argsort(-counts, kind="stable").tolist() if counts[each]]
    more = f", and {len(commonest) - REASONS_TOLD} more reasons" if len(commonest) > REASONS_TOLD else ""
    return ", ".join(f"{Reason(each).code} {counts[each]:,}" for each in commonest[:REASONS_TOLD]) + more
