"""Putting a method beside the forest: what its scores are worth on the forest's scale, learned from payments whose labels are known.

A score of the method is worth that score of the forest at which fraud is as likely. The forest is judged only by the payments that the method lets
pass: what both find is the method's merit already. So the better the method, the stranger a payment must be for the forest alone
to outrank it; where the method finds nothing, it changes nothing.
"""

import numpy as np
from numpy.typing import NDArray

from monitor.learn.likelihood import likelihood
from monitor.scoring.scale import Scale, scale_of

PASSES = 0.995
"""Share of payments that the method lets pass, those with its lowest scores."""

SAYS_SOMETHING = 2.0
"""Times the usual share of fraud: a score at which fraud is no likelier than that is worth nothing."""


def scale_beside(forest: NDArray[np.float64], other: NDArray[np.float64], fraud: NDArray[np.bool_]) -> Scale:
    """What the scores `other` float64[n] of a method are worth, given the forest's and the labels of the same `n` payments.

    Its lowest score is worth nothing, and so is one that says next to nothing; its highest conceivable one, 1, is worth 1.
    """
    curve = likelihood(other, fraud)
    passed = other <= np.quantile(other, PASSES)
    beside = likelihood(forest[passed], fraud[passed])
    points = {1.0: 1.0}
    for raw, probability in zip(curve.score.tolist(), curve.probability.tolist(), strict=True):
        says = probability > SAYS_SOMETHING * fraud.mean()
        points[raw] = _worth(beside.score, beside.probability, probability) if says else 0.0
    points[float(other.min())] = 0.0
    worth = np.maximum.accumulate([points[raw] for raw in sorted(points)])
    return scale_of(dict(zip(sorted(points), worth.tolist(), strict=True)))


def _worth(score: NDArray[np.float64], probability: NDArray[np.float64], wanted: float) -> float:
    """The forest's score at which fraud is as likely as `wanted`; beyond its likeliest, on the line to (1, 1)."""
    return float(np.interp(wanted, [*probability, 1.0 + 1e-6], [*score, 1.0]))
