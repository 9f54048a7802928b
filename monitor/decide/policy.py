"""From a score and what rules ask for to an outcome. A score says how strange; a policy says what to do.

Precedence, highest first: an override (a person's word on one account, `by_hand.py`), a block that cannot be overridden by rules, what a walled-off rail's payments get unless
they are blocked anyway, an allow, a block, a review. The model reviews or blocks by the thresholds of its manifest, and stands among the rules: an allow lifts what it asks for, and of the
others the stronger one is done.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

OUTCOMES = ("approve", "review", "block")
"""The symbols of `outcome` in schemas/alert.avsc, mildest first."""

APPROVE, REVIEW, BLOCK = range(3)


MODEL = "model"
"""What a suppression calls the model in place of a rule; no rule has this id."""

ANOMALY = "anomaly"
"""The reason code of what the model asks for."""


class Level(IntEnum):
    """What the rules that hold for a transaction ask for; of several the highest."""

    NOTHING = 0
    REVIEW = 1
    BLOCK = 2
    ALLOW = 3
    FINAL_BLOCK = 4
    """A block that no allow lifts."""


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


_DONE = np.array(
    [
        [APPROVE, REVIEW, BLOCK],
        [REVIEW, REVIEW, BLOCK],
        [BLOCK, BLOCK, BLOCK],
        [APPROVE, APPROVE, APPROVE],
        [BLOCK, BLOCK, BLOCK],
    ],
    np.uint8,
)
"""By what the rules ask for, then by what the model asks for."""


def combined(modelled: NDArray[np.uint8], levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What is done, uint8[n], where the model asks for `modelled` uint8[n] and the rules for `levels` uint8[n] of `Level`."""
    return _DONE[levels, modelled]
