"""What one committed run amounts to, in the arrays the pipeline has anyway."""

from collections.abc import Mapping
from dataclasses import dataclass

import numba as nb
import numpy as np
from numpy.typing import NDArray

from monitor.stages import Stage
from monitor.state.dispositions import Disposition, Flag

SCORED, DUPLICATE, REJECTED = int(Disposition.SCORED), int(Disposition.DUPLICATE), int(Disposition.REJECTED)
LATE, LATE_NOT_FOLDED = int(Flag.LATE), int(Flag.LATE_NOT_FOLDED)
CONFLICT, RING_SATURATED = int(Flag.CONFLICT), int(Flag.RING_SATURATED)
# plain numbers, because the kernel below counts by them

OUTCOMES = ("approve", "review", "block")
"""Values of `RunFigures.alert_outcomes`; the same as monitor.decide.policy.OUTCOMES."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFigures:
    """What one committed run of `n` records of partition `partition` amounts to.

    `dispositions` uint8[n] (SCORED, DUPLICATE, REJECTED); `reasons` uint8[n], a `Reason` where rejected; `flags` uint16[n]; `event_times_ms`
    int64[n]; `scores` float64[n], NaN where not scored; `alert_outcomes` uint8[a], one an alert that was emitted; `held` uint8[n], of `Held`; `record_times_ms` int64[k],
    Kafka timestamps of the run's records or of a sample of them, below 0 for none; `detected_at_ms`, `committed_at_ms`: ms since
    the epoch; `commit_s`: the Kafka transaction alone, begin to acknowledged; `stages_s`: seconds by stage, any subset; `watermark_ms`: the largest event
    time the partition has seen; `last_offset`, `audit_height`: of the block committed; `accounts`: accounts the partition holds;
    `horizons_ms`: int64, ages of keys pushed out of rings, below 0 for none; `swept`: forgotten accounts dropped by the run;
    `misplaced`: of a sample of its new accounts, those in a partition where Java's partitioner would not put them; `partial`: those that a part of the model could not judge;
    `unexplained`: alerts, sent or withheld, that a model scored and that went without its explanation.
    """

    partition: int
    dispositions: NDArray[np.uint8]
    reasons: NDArray[np.uint8]
    flags: NDArray[np.uint16]
    event_times_ms: NDArray[np.int64]
    scores: NDArray[np.float64]
    alert_outcomes: NDArray[np.uint8]
    held: NDArray[np.uint8]
    record_times_ms: NDArray[np.int64]
    detected_at_ms: int
    committed_at_ms: int
    commit_s: float
    stages_s: Mapping[Stage, float]
    watermark_ms: int
    last_offset: int
    audit_height: int
    accounts: int
    horizons_ms: NDArray[np.int64]
    swept: int
    misplaced: int
    partial: int
    unexplained: int


@nb.njit(cache=True, nogil=True)
def count_run(dispositions: NDArray[np.uint8], flags: NDArray[np.uint16]) -> tuple[int, int, int, int, int, int, int]:
    """Scored, duplicate, rejected; late and folded, late and not folded, conflicts, ring saturated: in one pass of n records."""
    scored = duplicate = rejected = folded = not_folded = conflicts = saturated = 0
    for i in range(dispositions.shape[0]):
        scored += dispositions[i] == SCORED
        duplicate += dispositions[i] == DUPLICATE
        rejected += dispositions[i] == REJECTED
        late = (flags[i] & (LATE | LATE_NOT_FOLDED)) != 0
        lost = (flags[i] & LATE_NOT_FOLDED) != 0
        folded += late and not lost
        not_folded += lost
        conflicts += (flags[i] & CONFLICT) != 0
        saturated += (flags[i] & RING_SATURATED) != 0
    return scored, duplicate, rejected, folded, not_folded, conflicts, saturated
