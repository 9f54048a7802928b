"""Fit a model: an isolation forest on a lean subset of the catalogue, and thresholds by alert budget. Labels are not used."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from monitor.errors import DatasetError
from monitor.features.catalogue import CATALOGUE, INDEX
from monitor.learn.dataset import Dataset
from monitor.scoring.forest import Forest
from monitor.scoring.model import Model, feature_set_of

FEATURE_SET = "lean"

DEFAULT_FEATURES = (
    "amount_ratio",
    "pace_ratio",
    "new_merchant",
    "new_device",
    "new_country",
    "country_change_speed",
    "small_count_15m",
    "hour_rarity",
    "credit_count_24h",
)
"""Chosen by measurement: docs/model.md."""

GOLDEN_ROWS = 16

REVIEW_RATE, BLOCK_RATE = 0.005, 0.001
"""Shares of the training rows that reach review, and block: an alert budget."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to fit. `review_rate`: share of the training rows that reach review; `block_rate`: that reach block."""

    features: tuple[str, ...] = DEFAULT_FEATURES
    trees: int = 100
    samples: int = 1024
    seed: int = 1
    review_rate: float = REVIEW_RATE
    block_rate: float = BLOCK_RATE

    def __post_init__(self) -> None:
        unknown = [name for name in self.features if name not in INDEX]
        if unknown or not self.features or len(set(self.features)) != len(self.features):
            known = ", ".join(feature.name for feature in CATALOGUE)
            raise DatasetError(
                f"features: {unknown or list(self.features)}: unknown, none or twice; choose among {known}"
            )
        if not 0 < self.block_rate <= self.review_rate < 1:
            raise DatasetError(
                f"alert rate {self.review_rate}, block rate {self.block_rate}: must be 0 < block <= alert < 1"
            )


def fit(training: Dataset, recipe: Recipe, version: str) -> Model:
    """A model fitted to all rows of `training`. Equal data, recipe and libraries give an equal model. Raises `DatasetError`.

    The thresholds are quantiles of the training scores: about `review_rate` of a stream like the training's is alerted.
    """
    rows = training.matrix(recipe.features)
    if len(rows) < recipe.samples:
        raise DatasetError(
            f"training rows {len(rows)}: fewer than the {recipe.samples} a tree samples; use more transactions"
        )
    if not np.isfinite(rows).all():
        wrong = [name for name, column in zip(recipe.features, rows.T, strict=True) if not np.isfinite(column).all()]
        raise DatasetError(f"features {wrong}: not finite in training; leave them out with --features")
    fitted = IsolationForest(n_estimators=recipe.trees, max_samples=recipe.samples, random_state=recipe.seed).fit(rows)
    forest = Forest.from_sklearn(fitted)
    review, block = np.quantile(forest.score(rows), [1 - recipe.review_rate, 1 - recipe.block_rate]).tolist()
    name = feature_set_of(FEATURE_SET, recipe.features)
    quartiles = np.quantile(rows.astype(np.float64), [0.25, 0.75], axis=0)
    return Model(version, recipe.features, forest, review, block, name, quartiles)


def golden_rows(model: Model, data: Dataset) -> NDArray[np.float32]:
    """Rows spread evenly over the order of the scores, the strangest included: float32[GOLDEN_ROWS, len(model.features)]."""
    order = np.argsort(scores_of(model, data), kind="stable")
    return data.matrix(model.features)[order[np.linspace(0, len(order) - 1, GOLDEN_ROWS).astype(np.int64)]]


def scores_of(model: Model, data: Dataset) -> NDArray[np.float64]:
    """The model's scores of all rows, float64[n]: those that serving gives."""
    return model.forest.score(data.matrix(model.features))
