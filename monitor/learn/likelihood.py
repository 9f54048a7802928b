"""How likely fraud is at a score: a rising curve through payments whose labels are known."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import isotonic_regression

FEWEST_ROWS, GROWTH = 50, 1.25
"""The highest scores are judged in bins of so many payments; each further bin is larger by this factor, since fraud is rare and high."""

SHRINK = 20.0
"""Payments with the usual share of fraud that each bin is given: two frauds in the fifty highest scores may be chance."""


@dataclass(frozen=True, slots=True)
class Likelihood:
    """A line through points: at `score` float64[p], ascending, the probability of fraud is `probability` float64[p], ascending."""

    score: NDArray[np.float64]
    probability: NDArray[np.float64]

    def of(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """The probability at each of `scores`, float64[n]; level beyond the ends."""
        return np.interp(scores, self.score, self.probability)

    def score_at(self, probability: NDArray[np.float64]) -> NDArray[np.float64]:
        """The score at which fraud is so likely, float64[n]; level beyond the ends."""
        return np.interp(probability, self.probability, self.score)


def likelihood(scores: NDArray[np.float64], fraud: NDArray[np.bool_]) -> Likelihood:
    """The curve of `n` payments, by pooled adjacent violators over bins of rank (Ayer et al., 1955), each bin shrunk by `SHRINK` payments
    towards the share of fraud in all of them. Equal scores are one bin. `n` at least 1.
    """
    ascending = np.sort(scores)
    sizes = FEWEST_ROWS * GROWTH ** np.arange(200.0)
    cuts = len(scores) - np.cumsum(sizes[np.cumsum(sizes) < len(scores)]).astype(np.int64)
    edges = np.unique(ascending[cuts])
    bins = np.searchsorted(edges, scores, side="right")
    weights = np.stack([np.ones(len(scores)), fraud, scores])
    sums = np.stack([np.bincount(bins, each, minlength=edges.size + 1) for each in weights])
    counts, frauds, total = sums[:, sums[0] > 0]
    centres = total / counts
    shares = (frauds + SHRINK * fraud.mean()) / (counts + SHRINK)
    rising = isotonic_regression(shares, sample_weight=counts, increasing=True)
    # equal neighbours are parted by next to nothing, so that the curve can be read both ways
    return Likelihood(centres, rising + 1e-9 * np.arange(len(rising)))
