"""The isolation forest as a scikit-learn estimator: fitted by scikit-learn, scored by the kernel that serves."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score
from sklearn.utils.validation import check_is_fitted, validate_data

from monitor.scoring.forest import Forest

MOST_JUDGED = 100_000
"""Training rows, about, that `predict`'s threshold is taken from."""

MOST_RANKED = 1_000_000
"""Training rows, about, that ranks are taken of, and trees grown from."""


class AnomalyForest(OutlierMixin, BaseEstimator):  # type: ignore[misc]
    """Anomaly scores by an isolation forest (Liu, Ting and Zhou, 2008), equal to scikit-learn's to 1e-6 and much faster to score.

    There is no contamination: a threshold is a decision about alerts, not about the data. `threshold_rate` gives one to `predict` and
    `decision_function`, which scikit-learn wants of an outlier detector. Training data may hold fraud: each tree sees `samples` rows only, so a
    per cent of it hardly matters.

    `by_rank` grows the trees on how rare each value is, -log10 of the share of training rows that have at least it, where plain trees see the values
    themselves: their splits then fall evenly over rarities, whatever the shape of a feature. The thresholds are turned back into values, so that nothing else
    knows of it.

    Parameters: `trees`; `samples` rows a tree is grown from, at least 2; `seed`; `by_rank`; `threshold_rate`, the share of training rows that `predict` calls
    outliers.

    Attributes, once fitted: `forest_`, what serves (`monitor/scoring/forest.py`); `offset_`, the score from which on `predict` says outlier, negative as
    scikit-learn's scores are; `n_features_in_`, and `feature_names_in_` when fitted to a frame.
    """

    def __init__(
        self,
        trees: int = 100,
        samples: int = 1024,
        seed: int | None = 1,
        by_rank: bool = False,
        threshold_rate: float = 0.005,
    ) -> None:
        self.trees = trees
        self.samples = samples
        self.seed = seed
        self.by_rank = by_rank
        self.threshold_rate = threshold_rate

    def fit(self, X: Any, y: Any = None) -> "AnomalyForest":  # noqa: ARG002, N803 (scikit-learn's names)
        """Fit to `X` [n, k]; labels are not looked at. Raises `ValueError` for what is not finite, or no row."""
        rows = validate_data(self, X, dtype=np.float32, ensure_min_samples=2)
        ranked = _Ranks(rows) if self.by_rank else None
        given = rows if ranked is None else ranked.surprises
        fitted = IsolationForest(
            n_estimators=self.trees, max_samples=min(self.samples, len(given)), random_state=self.seed
        ).fit(given)
        forest = Forest.from_sklearn(fitted)
        self.forest_ = forest if ranked is None else ranked.in_values(forest)
        sample = rows[:: max(1, len(rows) // MOST_JUDGED)]
        self.offset_ = -float(np.quantile(self.forest_.score(sample), 1 - self.threshold_rate))
        return self

    def anomaly_score(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Scores float64[n], 0 to 1, higher is stranger: `anomaly_score` of the decisions."""
        check_is_fitted(self)
        return self.forest_.score(validate_data(self, X, dtype=np.float32, reset=False))

    def score_samples(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """The opposite of `anomaly_score`, as scikit-learn has it: lower is stranger."""
        return -self.anomaly_score(X)

    def decision_function(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """`score_samples` above `offset_`: below 0 is an outlier."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> NDArray[np.int64]:  # noqa: N803
        """-1 for outliers, 1 for the others, int64[n]."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def score(self, X: Any, y: Any) -> float:  # noqa: N803
        """Average precision of the anomaly scores against the labels `y`, above 0 for fraud."""
        return float(average_precision_score(np.asarray(y) > 0, self.anomaly_score(X)))


class _Ranks:
    """Training rows as surprises float32[n, k], -log10 of the share of rows with at least the value, and the way back."""

    def __init__(self, rows: NDArray[np.float32]) -> None:
        rows = rows[:: max(1, len(rows) // MOST_RANKED)]
        self._ascending = np.sort(rows, axis=0)
        n = len(rows)
        below = [np.searchsorted(order, column) for order, column in zip(self._ascending.T, rows.T, strict=True)]
        self.surprises = -np.log10((n - np.stack(below, axis=1)) / n).astype(np.float32)

    def in_values(self, forest: Forest) -> Forest:
        """The forest with each threshold the value x for which surprise > threshold is value > x.

        Of n rows, k = ceil(n / 10**threshold) is the least number of rows with at least a value at which it is not a greater surprise; so x is the k-th largest.
        """
        arrays = forest.arrays()
        threshold = arrays["threshold"].astype(np.float64)
        n = len(self._ascending)
        rank = np.clip(np.ceil(n * 10.0 ** -np.where(np.isfinite(threshold), threshold, 0.0) - 1e-6), 1, n).astype(
            np.int64
        )
        values = self._ascending[n - rank, arrays["feature"].astype(np.int64)]
        arrays["threshold"] = np.where(np.isfinite(threshold), values, np.float32(np.inf)).astype(np.float32)
        return Forest.from_arrays(arrays, forest.features)
