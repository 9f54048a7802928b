"""The kernels that walk a forest's complete trees; see `monitor/scoring/forest.py` for the layout.

A node's children are at `2i + 1` and `2i + 2`; a row goes right when `row[feature] > threshold`, `D` times, without a branch. Rows,
or trees, are walked `STEP` side by side, so that the processor overlaps their memory reads. A row's path lengths are
always added tree by tree, in order, as float64: its sum does not depend on the rows beside it, bit for bit. Sixteen rows go down the
first levels together (`monitor/scoring/first_levels.py`).
"""

import numpy as np
from numpy.typing import NDArray

from monitor.jit import inlined, kernel
from monitor.scoring.first_levels import LANES, LEVELS, first_levels

U64 = np.uint64
"""Places and indices are unsigned: for a signed one numba asks each time whether it counts from the end, which takes as long as the walk."""

STEP = LANES
"""Rows (or trees) side by side."""

FEW_ROWS = 8
"""A block of fewer rows walks trees side by side, row by row: 3.5 us for a single row instead of 12."""


def path_sums(
    rows: NDArray[np.float32],
    feature: NDArray[np.uint8],
    threshold: NDArray[np.float32],
    leaf: NDArray[np.float32],
    depth: int,
) -> NDArray[np.float64]:
    """Path lengths summed over the trees, float64[n], of `rows` float32[n, k]; NaN where a row has a NaN."""
    sums = np.zeros(rows.shape[0])
    columns = np.empty((rows.shape[1], STEP), np.float32)
    _path_sums(rows, feature, threshold, leaf, depth, columns, np.zeros(STEP, np.uint64), sums)
    return sums


def contributions(
    rows: NDArray[np.float32],
    feature: NDArray[np.uint8],
    threshold: NDArray[np.float32],
    expected: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of `rows` float32[m, k], means over the trees: what each feature took from the path, float64[m, k], and the path, float64[m].

    `expected` float64[T, nodes]: path length to expect below each node.
    """
    rows = np.ascontiguousarray(rows)  # of one layout, whatever numpy made of them: another is compiled anew
    taken, actual = np.zeros(rows.shape), np.zeros(rows.shape[0])
    _contributions(rows, feature, threshold, expected, np.zeros(STEP, np.uint64), taken, actual)
    return taken / feature.shape[0], actual / feature.shape[0]


@inlined
def _trees_in_step(rows, feature, threshold, leaf, depth, place, sums, i):  # type: ignore[no-untyped-def]
    trees, inner = U64(feature.shape[0]), U64(feature.shape[1])
    for tree in range(U64(0), trees, U64(STEP)):
        lanes = min(U64(STEP), trees - tree)
        for j in range(lanes):
            place[j] = U64(0)
        for _ in range(depth):
            for j in range(lanes):
                at = place[j]
                right = rows[i, U64(feature[tree + j, at])] > threshold[tree + j, at]
                place[j] = U64(2) * at + U64(1) + U64(right)
        for j in range(lanes):
            sums[i] += leaf[tree + j, place[j] - inner]


@inlined
def _further(rows, feature, threshold, leaf, tree, levels, place, sums, first, lanes):  # type: ignore[no-untyped-def]
    for _ in range(levels):
        for j in range(lanes):
            at = place[j]
            right = rows[first + j, U64(feature[tree, at])] > threshold[tree, at]
            place[j] = U64(2) * at + U64(1) + U64(right)
    inner = U64(feature.shape[1])
    for j in range(lanes):
        sums[first + j] += leaf[tree, place[j] - inner]


@inlined
def _rows_in_step(rows, feature, threshold, leaf, depth, place, sums, first, lanes):  # type: ignore[no-untyped-def]
    for tree in range(U64(feature.shape[0])):
        for j in range(lanes):
            place[j] = U64(0)
        _further(rows, feature, threshold, leaf, tree, depth, place, sums, first, lanes)


@inlined
def _sixteen_rows(rows, feature, threshold, leaf, depth, columns, place, sums, first):  # type: ignore[no-untyped-def]
    for j in range(U64(STEP)):
        for f in range(U64(rows.shape[1])):
            columns[f, j] = rows[first + j, f]
    for tree in range(U64(feature.shape[0])):
        first_levels(columns, feature, threshold, tree, place)
        _further(rows, feature, threshold, leaf, tree, depth - LEVELS, place, sums, first, U64(STEP))


@kernel
def _path_sums(rows, feature, threshold, leaf, depth, columns, place, sums):  # type: ignore[no-untyped-def]
    n, k = U64(rows.shape[0]), rows.shape[1]
    whole = n - n % U64(STEP)
    for first in range(U64(0), whole, U64(STEP)):
        if depth >= LEVELS:
            _sixteen_rows(rows, feature, threshold, leaf, depth, columns, place, sums, first)
        else:
            _rows_in_step(rows, feature, threshold, leaf, depth, place, sums, first, U64(STEP))
    if n - whole >= U64(FEW_ROWS):
        _rows_in_step(rows, feature, threshold, leaf, depth, place, sums, whole, n - whole)
    else:
        for i in range(whole, n):
            _trees_in_step(rows, feature, threshold, leaf, depth, place, sums, i)
    for i in range(rows.shape[0]):
        for f in range(k):
            if np.isnan(rows[i, f]):
                sums[i] = np.nan


@kernel
def _contributions(rows, feature, threshold, expected, place, taken, actual):  # type: ignore[no-untyped-def]
    n, trees, inner = U64(rows.shape[0]), U64(feature.shape[0]), U64(feature.shape[1])
    for first in range(U64(0), n, U64(STEP)):
        lanes = min(U64(STEP), n - first)
        for tree in range(trees):
            for j in range(lanes):
                place[j] = U64(0)
            leftmost = U64(0)  # of the level that all rows are at
            while leftmost < inner:
                for j in range(lanes):
                    i, at = first + j, place[j]
                    f = U64(feature[tree, at])
                    child = U64(2) * at + U64(1) + U64(rows[i, f] > threshold[tree, at])
                    taken[i, f] += expected[tree, at] - expected[tree, child]
                    place[j] = child
                leftmost = U64(2) * leftmost + U64(1)
            for j in range(lanes):
                actual[first + j] += expected[tree, place[j]]
