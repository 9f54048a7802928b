"""The isolation forest as it serves: complete trees in flat arrays, walked by the kernels of `monitor/scoring/walk.py`.

Every tree is padded to the depth `D` of the deepest. Node `i` has its children at `2i + 1` and `2i + 2`; a row goes right when
`x[feature] > threshold`, else left, always `D` times, without a branch. A node that scikit-learn ended early goes on to the left
(`threshold` inf) down to the leaf below it. The score is Liu, Ting and Zhou's (Isolation Forest, ICDM 2008, equation 2),

    score = 2 ** -(mean over trees of leaf) / c,   leaf = depth + c(samples in the leaf),   c = c(max_samples)

which is `-score_samples` of scikit-learn: 0 to 1, higher is stranger. No fast-math: a row's score is one sequence of float64
additions in the order of the trees, so it does not depend on the other rows it is scored with, nor on the processor (`exp2.py`).

NaN: a row with a NaN in any of its features is not scored; its score is NaN, and the caller says so (`degraded`).
Infinities compare as numbers. Features are compared as float32, as scikit-learn does.
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

if TYPE_CHECKING:
    from sklearn.ensemble import IsolationForest

ARRAYS: Mapping[str, Any] = {
    "feature": np.dtype("u1"),
    "threshold": np.dtype("<f4"),
    "leaf": np.dtype("<f4"),
    "leaf_samples": np.dtype("<u2"),
    "normaliser": np.dtype("<f8"),
}
"""What a forest is stored as: name and dtype of each array."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest(CompleteTrees):
    """Isolation trees: `leaf` is the path length at each leaf, `leaf_samples` uint16; `normaliser` is c(max_samples)."""

    normaliser: float

    def score(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scores of `rows` float32[n, features] as float64[n], 0 to 1, higher is stranger; NaN where a row has a NaN."""
        return exp2(self.leaf_sums(rows) * (-1.0 / (self.trees * self.normaliser)))

    def contributions(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Path length that each feature took away, float64[n, features]: above 0, it made the row more isolated than rows usually are."""
        return self.leaf_shares(rows)[0]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The forest as named arrays; `from_arrays` takes them back."""
        fields = {name: getattr(self, name) for name in ARRAYS}
        return {name: np.ascontiguousarray(value, dtype=ARRAYS[name]) for name, value in fields.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], features: int) -> "Forest":
        """The forest of `arrays()`, over `features` features. Raises `ArtifactError` unless every index stays inside its array."""
        for name, dtype in ARRAYS.items():
            _require(name in arrays, name, "missing")
            _require(arrays[name].dtype == dtype, name, f"dtype {arrays[name].dtype}, expected {dtype}")
        leaf = arrays["leaf"]
        check(arrays["feature"], arrays["threshold"], leaf, arrays["leaf_samples"], features, _require)
        _require(bool((leaf >= 0).all()), "leaf", "a path length below 0")
        _require(arrays["normaliser"].shape == (1,), "normaliser", f"shape {arrays['normaliser'].shape}, expected (1,)")
        normaliser = float(arrays["normaliser"][0])
        _require(math.isfinite(normaliser) and normaliser > 0, "normaliser", str(normaliser))
        fixed = {name: np.ascontiguousarray(arrays[name]) for name in ("feature", "threshold", "leaf", "leaf_samples")}
        for array in fixed.values():
            array.flags.writeable = False
        return cls(**fixed, normaliser=normaliser, features=features)

    @classmethod
    def from_sklearn(cls, forest: "IsolationForest") -> "Forest":
        """A fitted `IsolationForest`, with or without feature subsampling. Raises `ArtifactError` when it does not fit the limits."""
        samples = int(forest._max_samples)
        features = int(forest.n_features_in_)
        depth = max(1, *(int(tree.tree_.max_depth) for tree in forest.estimators_))
        _require(2 <= samples <= 65_535, "max_samples", f"{samples}, expected 2 to 65535")
        _require(depth <= MAX_DEPTH, "depth", f"{depth}, expected at most {MAX_DEPTH}: fit with fewer samples a tree")
        trees = len(forest.estimators_)
        arrays: dict[str, NDArray[Any]] = {
            "feature": np.zeros((trees, (1 << depth) - 1), np.uint8),
            "threshold": np.full((trees, (1 << depth) - 1), np.inf, np.float32),
            "leaf": np.zeros((trees, 1 << depth), np.float32),
            "leaf_samples": np.zeros((trees, 1 << depth), np.uint16),
            "normaliser": np.array([average_path_length(samples)]),
        }
        _require(features <= MAX_FEATURES, "features", f"{features}, expected at most {MAX_FEATURES}")
        for number, (tree, chosen) in enumerate(zip(forest.estimators_, forest.estimators_features_, strict=True)):
            _lay_out(
                tree.tree_,
                np.asarray(chosen),
                depth,
                {name: arrays[name][number : number + 1] for name in ARRAYS if name != "normaliser"},
            )
        return cls.from_arrays(arrays, features)


def average_path_length(samples: int) -> float:
    """c(n): the mean path length of an unsuccessful search among `n` values (Liu et al. 2008, equation 1, as scikit-learn has it)."""
    if samples <= 2:
        return 1.0 if samples == 2 else 0.0
    return 2.0 * (math.log(samples - 1.0) + np.euler_gamma) - 2.0 * (samples - 1.0) / samples


def float32_at_or_below(threshold: float) -> np.float32:
    """The greatest float32 that is not above `threshold`: `x <= threshold` then holds for the same float32 `x` as before."""
    nearest = np.float32(threshold)
    return np.nextafter(nearest, np.float32(-np.inf)) if float(nearest) > threshold else nearest


def warm_up() -> None:
    """Compile the kernels, or load them from numba's cache, so that the first transaction does not wait for it."""
    forest = Forest(
        feature=np.zeros((1, 1), np.uint8),
        threshold=np.zeros((1, 1), np.float32),
        leaf=np.ones((1, 2), np.float32),
        leaf_samples=np.ones((1, 2), np.uint16),
        normaliser=1.0,
        features=1,
    )
    rows = np.zeros((1, 1), np.float32)
    forest.score(rows)
    forest.contributions(rows)


def _lay_out(tree: Any, chosen: NDArray[np.int64], depth: int, into: dict[str, NDArray[Any]]) -> None:
    """Write one scikit-learn tree into row 0 of the complete arrays `into`; `chosen` maps its features to the forest's."""
    inner = (1 << depth) - 1
    waiting = [(0, 0, 0)]  # scikit-learn's node, place in the complete tree, depth
    while waiting:
        node, place, level = waiting.pop()
        left, right = int(tree.children_left[node]), int(tree.children_right[node])
        if left >= 0:
            into["feature"][0, place] = chosen[tree.feature[node]]
            into["threshold"][0, place] = float32_at_or_below(float(tree.threshold[node]))
            waiting += [(left, 2 * place + 1, level + 1), (right, 2 * place + 2, level + 1)]
            continue
        for _ in range(depth - level):
            place = 2 * place + 1
        samples = int(tree.n_node_samples[node])
        into["leaf"][0, place - inner] = level + average_path_length(samples)
        into["leaf_samples"][0, place - inner] = samples


def _require(holds: bool, field: str, problem: str) -> None:
    if not holds:
        raise ArtifactError(f"forest: {field}: {problem}; train the model again, or restore its files")
