"""Which review threshold keeps a model and rules together at so many alerts a day: a quantile of the scores of payments that no rule speaks about.

An active rule that holds is an alert or an allow, whatever the score. So the model's share of the budget is what the rules leave of it, and only the other
payments are its to alert.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.decide.policy import Level
from monitor.scoring.model import Model


@dataclass(frozen=True, slots=True)
class Budget:
    """`alerts_a_day` as asked for; `review_threshold` keeps it on this past, None: none does, most likely since rules alone alert more. `rules_a_day` and `model_a_day`: what it is made of.

    `present_*`: of the threshold that the model has. `recall`: the share of fraud that is alerted, None without fraud.
    """

    alerts_a_day: float
    model: str
    review_threshold: float | None
    present_threshold: float
    block_threshold: float
    rules_a_day: float
    model_a_day: float
    present_model_a_day: float
    recall: float | None
    present_recall: float | None


class Unclaimed:
    """Gathers, slice by slice, the scores of payments that the model alone decides, 9 bytes each, and counts what rules alert."""

    def __init__(self) -> None:
        self._scores: list[NDArray[np.float64]] = []
        self._fraud: list[NDArray[np.bool_]] = []
        self._ruled, self._ruled_fraud, self._all_fraud = 0, 0, 0

    def add(self, scores: NDArray[np.float64], levels: NDArray[np.uint8], fraud: NDArray[np.bool_]) -> None:
        """Of `n` scored payments: `scores` float64[n], NaN where no part of the model could say; `levels` uint8[n], what active rules ask for; `fraud` bool[n]."""
        claimed = levels != Level.NOTHING
        alerted = claimed & (levels != Level.ALLOW)
        self._ruled += int(alerted.sum())
        self._ruled_fraud += int((alerted & fraud).sum())
        self._all_fraud += int(fraud.sum())
        open_to_model = ~claimed & ~np.isnan(scores)
        self._scores.append(scores[open_to_model])
        self._fraud.append(fraud[open_to_model])

    def budget(self, alerts_a_day: float, days: float, model: Model) -> Budget:
        """The least threshold with which rules and `model` together alert at most `alerts_a_day` on these `days`."""
        scores, fraud = np.concatenate(self._scores), np.concatenate(self._fraud)
        room = int(alerts_a_day * days) - self._ruled
        threshold = least_threshold(scores, room)
        at = np.inf if threshold is None else threshold
        return Budget(
            alerts_a_day=alerts_a_day,
            model=model.version,
            review_threshold=threshold,
            present_threshold=model.review_threshold,
            block_threshold=model.block_threshold,
            rules_a_day=self._ruled / days,
            model_a_day=int((scores >= at).sum()) / days,
            present_model_a_day=int((scores >= model.review_threshold).sum()) / days,
            recall=self._recall(fraud & (scores >= at)),
            present_recall=self._recall(fraud & (scores >= model.review_threshold)),
        )

    def _recall(self, caught: NDArray[np.bool_]) -> float | None:
        return (self._ruled_fraud + int(caught.sum())) / self._all_fraud if self._all_fraud else None


def least_threshold(scores: NDArray[np.float64], most: int) -> float | None:
    """The least of `scores` that at most `most` of them reach, 1 where none of them is; None where even 1 is reached by more."""
    if most < int((scores >= 1).sum()):
        return None
    ascending = np.sort(scores)
    reached = len(ascending) - np.searchsorted(ascending, ascending, side="left")
    allowed = ascending[reached <= most]
    return float(allowed[0]) if allowed.size else 1.0
