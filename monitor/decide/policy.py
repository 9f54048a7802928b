"""From a score to an outcome, by the thresholds of the model's manifest. A score says how strange; a policy says what to do."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

OUTCOMES = ("approve", "review", "block")
"""The symbols of `outcome` in schemas/alert.avsc, mildest first."""

APPROVE, REVIEW, BLOCK = range(3)


class Thresholds(Protocol):
    """The least scores that are reviewed and blocked; `review_threshold <= block_threshold`."""

    @property
    def review_threshold(self) -> float: ...
    @property
    def block_threshold(self) -> float: ...


@dataclass(frozen=True, slots=True)
class _Fixed:
    review_threshold: float
    block_threshold: float


NEVER: Thresholds = _Fixed(np.inf, np.inf)
"""Without a model nothing reaches a threshold."""


def outcomes(scores: NDArray[np.float64], thresholds: Thresholds) -> NDArray[np.uint8]:
    """The outcome of each score, float64[n] -> uint8[n]. What was not scored (NaN) is approved; the caller marks it degraded."""
    reviewed = (scores >= thresholds.review_threshold).astype(np.uint8)
    return reviewed + (scores >= thresholds.block_threshold).astype(np.uint8)
