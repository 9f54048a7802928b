"""Gradient-boosted trees ready to serve: complete trees in flat arrays, walked by the forest's own kernels; no pickle, no scikit-learn.

A supervised challenger is fitted as scikit-learn's `HistGradientBoostingClassifier` (`monitor/learn/challenger.py`); its trees are laid out like the forest's (`monitor/scoring/forest.py`), a leaf holding what its rows
add to the log-odds of fraud. So

    margin = baseline + sum over trees of leaf,   probability = 1 / (1 + exp(-(slope * margin + intercept)))

where slope and intercept calibrate it on payments later than those it was fitted to (Platt, "Probabilistic outputs for support vector
machines", 1999). Sums are in the order of the trees, as float64, and exp is our own: the same bits on every processor.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from monitor.errors import ArtifactError
from monitor.scoring.complete import MAX_DEPTH, MAX_FEATURES, CompleteTrees, check
from monitor.scoring.exp2 import exp2
from monitor.scoring.forest import float32_at_or_below

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

ARRAYS: Mapping[str, Any] = {
    "boosted_feature": np.dtype("u1"),
    "boosted_threshold": np.dtype("<f4"),
    "boosted_leaf": np.dtype("<f4"),
    "boosted_samples": np.dtype("<u4"),
    "boosted_line": np.dtype("<f8"),
}
"""What boosted trees are stored as; `boosted_line` is baseline, slope and intercept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Boosted(CompleteTrees):
    """Boosted trees: `leaf` is log-odds, `leaf_samples` uint32. `baseline`: log-odds before any tree. `slope`, `intercept`: calibration."""

    baseline: float
    slope: float = 1.0
    intercept: float = 0.0

    def margin(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Log-odds of fraud before calibration, float64[n], of `rows` float32[n, features]; NaN where a row has a NaN."""
        return self.baseline + self.leaf_sums(rows)

    def probability(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Calibrated probability of fraud, float64[n], 0 to 1; NaN where a row has a NaN."""
        return 1.0 / (1.0 + exp2((self.slope * self.margin(rows) + self.intercept) * -math.log2(math.e)))

    def score(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """The calibrated probability."""
        return self.probability(rows)

    def contributions(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Log-odds that each feature added, float64[n, features]; with the expected margin they sum to the row's."""
        return -self.leaf_shares(rows)[0] * self.trees

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The trees as named arrays; `from_arrays` takes them back."""
        line = np.array([self.baseline, self.slope, self.intercept])
        found = (self.feature, self.threshold, self.leaf, self.leaf_samples, line)
        return {name: np.ascontiguousarray(each, ARRAYS[name]) for name, each in zip(ARRAYS, found, strict=True)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], features: int) -> "Boosted":
        """The trees of `arrays()`, over `features` columns. Raises `ArtifactError` unless every index stays inside its array."""
        for name, dtype in ARRAYS.items():
            _require(name in arrays and arrays[name].dtype == dtype, name, f"missing, or not {dtype}")
        feature, threshold, leaf, samples, line = (arrays[name] for name in ARRAYS)
        check(feature, threshold, leaf, samples, features, _require)
        _require(line.shape == (3,) and bool(np.isfinite(line).all()), "boosted_line", f"{line}")
        _require(
            float(line[1]) > 0, "boosted_line", f"slope {line[1]}: a higher margin must not be a lower probability"
        )
        baseline, slope, intercept = line.tolist()
        return cls(
            feature=feature,
            threshold=threshold,
            leaf=leaf,
            leaf_samples=samples,
            features=features,
            baseline=baseline,
            slope=slope,
            intercept=intercept,
        )

    @classmethod
    def from_sklearn(cls, fitted: "HistGradientBoostingClassifier") -> "Boosted":
        """A fitted binary classifier without categorical features. Raises `ArtifactError` when it does not fit the limits."""
        trees = [tree for (tree,) in fitted._predictors]
        features, depth = int(fitted.n_features_in_), max(1, *(int(tree.nodes["depth"].max()) for tree in trees))
        _require(depth <= MAX_DEPTH, "depth", f"{depth}, expected at most {MAX_DEPTH}: fit with a max_depth")
        _require(features <= MAX_FEATURES, "features", f"{features}, expected at most {MAX_FEATURES}")
        _require(not any(tree.nodes["is_categorical"].any() for tree in trees), "features", "categorical; give numbers")
        shape = (len(trees), 1 << depth)
        feature = np.zeros((shape[0], shape[1] - 1), np.uint8)
        threshold = np.full(feature.shape, np.inf, np.float32)
        leaf, samples = np.zeros(shape, np.float32), np.zeros(shape, np.uint32)
        for number, tree in enumerate(trees):
            _lay_out(tree.nodes, depth, feature[number], threshold[number], leaf[number], samples[number])
        return cls(
            feature=feature,
            threshold=threshold,
            leaf=leaf,
            leaf_samples=samples,
            features=features,
            baseline=float(fitted._baseline_prediction.ravel()[0]),
        )


def _lay_out(
    nodes: NDArray[np.void],
    depth: int,
    feature: NDArray[np.uint8],
    threshold: NDArray[np.float32],
    leaf: NDArray[np.float32],
    samples: NDArray[np.uint32],
) -> None:
    """Write one of scikit-learn's trees into the complete one; a leaf above the last level goes on to the left (`threshold` inf)."""
    waiting = [(0, 0, 0)]  # scikit-learn's node, place in the complete tree, level
    while waiting:
        number, place, level = waiting.pop()
        node = nodes[number]
        if not node["is_leaf"]:
            feature[place] = node["feature_idx"]
            threshold[place] = float32_at_or_below(float(node["num_threshold"]))
            waiting += [(int(node["left"]), 2 * place + 1, level + 1), (int(node["right"]), 2 * place + 2, level + 1)]
            continue
        for _ in range(depth - level):
            place = 2 * place + 1
        leaf[place - feature.size], samples[place - feature.size] = node["value"], node["count"]


def _require(holds: bool, field: str, problem: str) -> None:
    if not holds:
        raise ArtifactError(f"boosted trees: {field}: {problem}; train the model again, or restore its files")
