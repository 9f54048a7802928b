"""The rule beside the forest: the share of fraud at what a payment touches, as its labels say. Nothing is fitted.

Shares of several entities come together as if each were a chance by itself: score = 1 - product of (1 - share). Inside the forest the same
shares are lost among its other columns, and beside it they decide (docs/detection.md has the figures).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DEFAULT_SHARES = ("merchant_risk_now", "device_risk_now")
"""Fraud found lately and not for long. A place's is left out: it is the base rate of a country and a trade, not the mark of a compromise."""


@dataclass(frozen=True, slots=True)
class RiskRule:
    """A rule over `features` shares, 0 to 1 each."""

    features: int

    def score(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scores of `rows` float32[n, features] as float64[n], 0 to 1; NaN where a row has a NaN."""
        spared = np.ones(len(rows))
        for column in rows.T:
            spared *= 1.0 - np.clip(column.astype(np.float64), 0.0, 1.0)
        return 1.0 - spared

    def contributions(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """The shares themselves, float64[n, features]."""
        return rows.astype(np.float64)
