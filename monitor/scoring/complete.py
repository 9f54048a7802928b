"""Complete trees in flat arrays: what the forest and the boosted trees are, before each says what a leaf means.

Node `i` has its children at `2i + 1` and `2i + 2`; a row goes right when `row[feature] > threshold`, else left, always `depth` times.
The kernels that walk them (`monitor/scoring/walk.py`) check no index: `check` does, once, when arrays come from outside.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.scoring.walk import path_sums

MAX_DEPTH = 16
"""Deepest tree that is taken: a complete tree doubles with each level. 100 trees of depth 10 are 1.3 MB."""

MAX_FEATURES = 256
"""Features are indexed by a byte: the kernel runs in the cache, and a byte an index makes it a third faster than four."""

MAX_TREES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteTrees:
    """`T` trees of depth `D` over `features` columns. Shapes: `feature` uint8[T, 2**D - 1], each below `features`; `threshold`
    float32[T, 2**D - 1]; `leaf` float32[T, 2**D].
    """

    feature: NDArray[np.uint8]
    threshold: NDArray[np.float32]
    leaf: NDArray[np.float32]
    features: int

    @property
    def trees(self) -> int:
        """How many trees."""
        return int(self.feature.shape[0])

    @property
    def depth(self) -> int:
        """Splits from the root to each leaf."""
        return int(self.leaf.shape[1]).bit_length() - 1

    def leaf_sums(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """The leaves that `rows` float32[n, features] end in, summed over the trees, float64[n]; NaN where a row has a NaN."""
        rows = np.ascontiguousarray(rows, np.float32)
        if rows.ndim != 2 or rows.shape[1] != self.features:
            raise ValueError(f"rows: shape {rows.shape}; these trees score float32[n, {self.features}]")
        return path_sums(rows, self.feature, self.threshold, self.leaf, self.depth)


def check(
    feature: NDArray[np.uint8],
    threshold: NDArray[np.float32],
    leaf: NDArray[np.float32],
    features: int,
    require: Callable[[bool, str, str], None],
) -> None:
    """Call `require(holds, array, problem)` for all that must hold of `CompleteTrees`; it raises for the first that does not."""
    require(1 <= features <= MAX_FEATURES, "features", f"{features}, expected 1 to {MAX_FEATURES}")
    require(leaf.ndim == 2 and 1 <= leaf.shape[0] <= MAX_TREES, "leaf", f"shape {leaf.shape}")
    leaves = leaf.shape[1]
    require(leaves in {1 << d for d in range(1, MAX_DEPTH + 1)}, "leaf", f"{leaves} leaves a tree")
    inner = (leaf.shape[0], leaves - 1)
    require(feature.shape == inner, "feature", f"shape {feature.shape}, expected {inner}")
    require(threshold.shape == inner, "threshold", f"shape {threshold.shape}, expected {inner}")
    require(int(feature.max()) < features, "feature", f"index {feature.max()} of {features} features")
    require(not np.isnan(threshold).any(), "threshold", "NaN")
    require(bool(np.isfinite(leaf).all()), "leaf", "not finite")
