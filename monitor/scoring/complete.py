"""Complete trees in flat arrays: what the forest and the boosted trees are, before each says what a leaf means.

Node `i` has its children at `2i + 1` and `2i + 2`; a row goes right when `row[feature] > threshold`, else left, always `depth` times.
The kernels that walk them (`monitor/scoring/walk.py`) check no index: `check` does, once, when arrays come from outside.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.scoring.walk import contributions, path_sums

MAX_DEPTH = 16
"""Deepest tree that is taken: a complete tree doubles with each level. 100 trees of depth 10 are 1.3 MB."""

MAX_FEATURES = 256
"""Features are indexed by a byte: the kernel runs in the cache, and a byte an index makes it a third faster than four."""

MAX_TREES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteTrees:
    """`T` trees of depth `D` over `features` columns. Shapes: `feature` uint8[T, 2**D - 1], each below `features`; `threshold`
    float32[T, 2**D - 1]; `leaf` float32[T, 2**D]; `leaf_samples` unsigned integers [T, 2**D], training rows that ended there, 0 for padding
    that no row reaches.
    """

    feature: NDArray[np.uint8]
    threshold: NDArray[np.float32]
    leaf: NDArray[np.float32]
    leaf_samples: NDArray[Any]
    features: int
    expected: NDArray[np.float64] = field(init=False, repr=False)
    """float64[T, 2**(D + 1) - 1]: what to expect of the leaf below each node; see `expected_leaves`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "expected", expected_leaves(self.leaf, self.leaf_samples))

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
        return path_sums(self._checked(rows), self.feature, self.threshold, self.leaf, self.depth)

    def leaf_shares(self, rows: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Of `rows`, means over the trees: what each feature took from the leaf, float64[n, features], and the leaf, float64[n].

        For every node E(node) is the leaf to expect below it. A row that passes a split on feature f from `node` to `child` loses E(node) -
        E(child). Along a path the terms telescope, so that what the features took sums to the expected leaf minus the actual one.
        """
        return contributions(self._checked(rows), self.feature, self.threshold, self.expected)

    def _checked(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        rows = np.ascontiguousarray(rows, np.float32)
        if rows.ndim != 2 or rows.shape[1] != self.features:
            raise ValueError(f"rows: shape {rows.shape}; these trees score float32[n, {self.features}]")
        return rows


def expected_leaves(leaf: NDArray[np.float32], leaf_samples: NDArray[Any]) -> NDArray[np.float64]:
    """E(node) for every node and leaf, float64[T, 2**(D + 1) - 1], in the order of the complete tree. 0 where no row ever was.

    The mean of the leaves below the node, weighted by the training rows that ended in them.
    """
    trees, leaves = leaf.shape
    inner = leaves - 1
    weight = np.zeros((trees, 2 * inner + 1))
    total = np.zeros_like(weight)
    weight[:, inner:] = leaf_samples
    total[:, inner:] = leaf_samples * leaf.astype(np.float64)
    for level in reversed(range(leaves.bit_length() - 1)):
        nodes = np.arange((1 << level) - 1, (1 << (level + 1)) - 1)
        for sums in (weight, total):
            sums[:, nodes] = sums[:, 2 * nodes + 1] + sums[:, 2 * nodes + 2]
    expected = np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)
    expected[:, inner:] = leaf  # itself, not its product divided again
    return expected


def check(
    feature: NDArray[np.uint8],
    threshold: NDArray[np.float32],
    leaf: NDArray[np.float32],
    leaf_samples: NDArray[Any],
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
    require(leaf_samples.shape == leaf.shape, "leaf_samples", f"shape {leaf_samples.shape}, expected {leaf.shape}")
    require(int(feature.max()) < features, "feature", f"index {feature.max()} of {features} features")
    require(not np.isnan(threshold).any(), "threshold", "NaN")
    require(bool(np.isfinite(leaf).all()), "leaf", "not finite")
