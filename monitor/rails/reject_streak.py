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
_IN_FUTURE = int(Reason.EVENT_TIME_IN_FUTURE)  # numpy is slow with members of an enum


class RejectStreaks:
    """Records rejected in a row, by partition, since this worker last admitted one of whatever rail and partition.

    One bad rail must not stop the others: only when nothing at all was admitted for `window_s` since its first record does a streak count. Runs
    whose commonest reason is an event time in the future are no streak: that is a matter of clocks, whose watch needs some runs, and must not be ended before.
    """

    def __init__(self, limits: RailLimits) -> None:
        self._limits = limits
        self._has_admitted = False
        self._began_s: dict[int, float] = {}
        self._counts: dict[int, NDArray[np.int64]] = {}

    def forget(self) -> None:
        """What was in a row is no longer: as when other partitions are ours now."""
        self._began_s.clear()
        self._counts.clear()

    def record(self, run: Run, reasons: NDArray[np.uint8], any_admitted: bool, now_s: float) -> None:
        """A committed run; `reasons` uint8[n]. Raises `OnlyRejectsError` when it ends a streak of `reject_stop_records`; 0: never."""
        if any_admitted:
            self._has_admitted = True
            self.forget()
            return
        found = np.bincount(reasons, minlength=256)
        if found[_IN_FUTURE] == found.max():
            return
        lasted_s = now_s - self._began_s.setdefault(run.partition, now_s)
        patience_s = self._limits.window_s if self._has_admitted else STARTING_S
        counts = self._counts[run.partition] = self._counts.get(run.partition, 0) + found
        most = self._limits.reject_stop_records
        if most and counts.sum() >= most and lasted_s >= patience_s:
            raise OnlyRejectsError(
                f"{run.topic}[{run.partition}]: the last {counts.sum():,} records up to offset {run.last_offset} were all rejected ({_told(counts)}), and no rail "
                f"had one that was admitted; mend the producer, the schema or the settings that the reasons speak of, then restart, and replay the dead "
                f"letters (reject_stop_records = {most}; 0 goes on whatever comes)"
            )


def _told(counts: NDArray[np.int64]) -> str:
    commonest = [each for each in np.argsort(-counts, kind="stable").tolist() if counts[each]]
    more = f", and {len(commonest) - REASONS_TOLD} more reasons" if len(commonest) > REASONS_TOLD else ""
    return ", ".join(f"{Reason(each).code} {counts[each]:,}" for each in commonest[:REASONS_TOLD]) + more
