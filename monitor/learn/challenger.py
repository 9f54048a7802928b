"""The supervised challenger: gradient-boosted trees fitted to labels that were known in time, calibrated on the latest of them."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from monitor.errors import DatasetError
from monitor.scoring.boosted import Boosted

LEAST_FRAUDS = 100
"""Confirmed frauds below which nothing supervised is fitted, half of them in each part: the forest, which needs none, stays."""


@dataclass(frozen=True, slots=True)
class BoostingRecipe:
    """How to boost. `calibration_share`: the latest part of the rows, on which the probability is calibrated."""

    rounds: int = 200
    rate: float = 0.05
    depth: int = 6
    calibration_share: float = 0.25
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Challenger:
    """`trees` that serve, and `held_out` float64[m]: probabilities of the latest `m` rows by trees that had not seen them."""

    trees: Boosted
    held_out: NDArray[np.float64]


def fit_boosted(rows: NDArray[np.float32], fraud: NDArray[np.bool_], recipe: BoostingRecipe) -> Challenger:
    """Trees fitted to `rows` float32[n, k], in order of event time, whose labels `fraud` bool[n] were all known when it is fitted.

    Calibrated by a line through the log-odds that trees of the earlier rows give to the later ones; the trees that serve are fitted
    to all rows. Raises `DatasetError` where there is too little fraud to learn from, or nothing else.
    """
    later = int(len(rows) * (1 - recipe.calibration_share))
    frauds = int(fraud.sum())
    if frauds < LEAST_FRAUDS or frauds > len(rows) // 2 or min(fraud[:later].sum(), fraud[later:].sum()) < 2:
        raise DatasetError(
            f"labels: {frauds} known frauds in {len(rows)} payments; a challenger needs {LEAST_FRAUDS}, some of them late: "
            "wait for more labels, or serve the forest"
        )
    earlier = _boosted(rows[:later], fraud[:later], recipe)
    margins = earlier.margin(rows[later:])
    line = LogisticRegression(C=1e6).fit(margins[:, None], fraud[later:])
    slope = float(line.coef_[0, 0])
    if slope <= 0:
        raise DatasetError(
            "labels: what was learned of the earlier payments ranks the later ones backwards; look at the labels"
        )
    intercept = float(line.intercept_[0])
    held_out = replace(earlier, slope=slope, intercept=intercept).probability(rows[later:])
    return Challenger(replace(_boosted(rows, fraud, recipe), slope=slope, intercept=intercept), held_out)


def _boosted(rows: NDArray[np.float32], fraud: NDArray[np.bool_], recipe: BoostingRecipe) -> Boosted:
    fitted = HistGradientBoostingClassifier(
        max_iter=recipe.rounds,
        learning_rate=recipe.rate,
        max_depth=recipe.depth,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=recipe.seed,
    )
    return Boosted.from_sklearn(fitted.fit(rows, fraud))
