"""How a value compares with all payments of the training: the share of them that had a smaller one.

Of each feature some values are kept, its knots: those at every per cent of the training's rows, at every tenth of one in the first and the last per
cent, the least and the greatest; and exactly how many rows were below each, and how many up to it. At a knot the share is
exact, as all shares are of a feature with few values (a count, a truth); between two knots it is interpolated.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.errors import ArtifactError
from monitor.jit import kernel

PER_MILLE = np.array([*range(10), *range(10, 990, 10), *range(990, 1001)], np.int64)
"""Where the knots are: the resolution is 1 %, and 0.1 % in the first and the last per cent."""

_LISTS = ("values", "below", "through")
_LARGEST = float(np.finfo(np.float32).max)
_BEFORE = 1.0 - 2.0**-20
"""How far towards the next knot a value between two can be: what is interpolated stays below the next knot's share."""


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of the features `names`: `values` float64[k, p], ascending, float32 in precision, padded with inf; `below` and `through` int64[k, p], training
    rows with a value smaller than each, and with one at most it; `rows` int64[k], those in which the feature was known.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64] = field(repr=False)
    below: NDArray[np.int64] = field(repr=False)
    through: NDArray[np.int64] = field(repr=False)
    rows: NDArray[np.int64] = field(repr=False)

    def __post_init__(self) -> None:
        self.shares(np.zeros((0, len(self.names))))  # loads the kernel: no run waits for it

    def shares(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The share of the training's payments with a smaller value, 0 to 1, of each of `values` float64[m, k]; NaN where either is not known."""
        found = np.empty(values.shape)
        _shares(np.ascontiguousarray(values, np.float64), self.values, self.below, self.through, self.rows, found)
        return found

    def between(self, place: int, value: float) -> tuple[int, int]:
        """Of the feature at `place`: at least how many training rows are below `value`, and at most how many are not above it."""
        values = self.values[place]
        at = int(np.searchsorted(values, value, side="right")) - 1
        if at < 0:
            return 0, 0
        if values[at] == value:
            return int(self.below[place, at]), int(self.through[place, at])
        through = int(self.through[place, at])
        return through, through if through == self.rows[place] else int(self.below[place, at + 1])

    def entry(self) -> dict[str, dict[str, list[float]]]:
        """As a manifest keeps it; `from_entry` takes it back."""
        known = np.isfinite(self.values)
        return {
            name: {each: getattr(self, each)[place, known[place]].tolist() for each in _LISTS}
            for place, name in enumerate(self.names)
        }

    @classmethod
    def from_entry(cls, entry: Any, names: tuple[str, ...], where: str) -> "Percentiles":
        """The percentiles of `entry()` for the features `names`; `where` names it in errors. Raises `ArtifactError` for what no training wrote."""
        if not isinstance(entry, dict) or set(entry) != set(names):
            found = sorted(entry) if isinstance(entry, dict) else entry
            raise ArtifactError(
                f"{where}: percentiles: of {str(found)[:80]}, expected those of {', '.join(names)}; restore the file"
            )
        return _padded({name: _knots(entry[name], f"{where}: percentiles: {name}") for name in names})


_Knots = tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]


def percentiles_of(columns: Iterable[tuple[str, NDArray[np.float32]]]) -> Percentiles:
    """Of the training's rows, a feature at a time: its name and its column float32[n], in which NaN is not known."""
    return _padded({name: _chosen(np.sort(column[~np.isnan(column)])) for name, column in columns})


def _chosen(ascending: NDArray[np.float32]) -> _Knots:
    """The knots of all known values of a feature."""
    rows = len(ascending)
    if not rows:
        return np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.int64)
    knots = np.unique(ascending[np.minimum(PER_MILLE * rows // 1000, rows - 1)])
    below, through = (np.searchsorted(ascending, knots, side).astype(np.int64) for side in ("left", "right"))
    values = np.clip(knots, -_LARGEST, _LARGEST).astype(np.float64)  # JSON has no infinity
    once = np.append(values[1:] > values[:-1], True)
    first = np.append(True, once[:-1])
    return values[once], below[first], through[once]


def _padded(knots: Mapping[str, _Knots]) -> Percentiles:
    shape = (len(knots), max((len(values) for values, *_ in knots.values()), default=0))
    values, below, through = np.full(shape, np.inf), np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for place, given in enumerate(knots.values()):
        for array, each in zip((values, below, through), given, strict=True):
            array[place, : len(each)] = each
    return Percentiles(tuple(knots), values, below, through, through.max(axis=1, initial=0))


def _knots(entry: Any, where: str) -> _Knots:
    """The knots of one feature, from a manifest."""
    try:
        lists = [entry[name] for name in _LISTS]
        whole = all(type(each) is int for each in (*lists[1], *lists[2]))
        values, below, through = np.array(lists[0], np.float64), *(np.array(each, np.int64) for each in lists[1:])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise ArtifactError(f"{where}: expected the lists {', '.join(_LISTS)} of numbers; restore the file") from None
    if not (
        whole and values.shape == below.shape == through.shape == (len(lists[0]),) and len(values) <= PER_MILLE.size
    ):
        raise ArtifactError(
            f"{where}: expected as many values as whole numbers below and through, {PER_MILLE.size} at most; restore the file"
        )
    with np.errstate(over="ignore"):
        single = (np.abs(values) <= _LARGEST) & (values.astype(np.float32) == values)
    counted = (np.append(0, through[:-1]) <= below).all() and (below < through).all() and (below[:1] == 0).all()
    if not (single.all() and (np.diff(values) > 0).all() and counted):
        raise ArtifactError(f"{where}: expected values that ascend, and counts that ascend with them; restore the file")
    return values, below, through


@kernel
def _shares(values, knots, below, through, rows, found):  # type: ignore[no-untyped-def]
    """Fill `found` float64[m, k]."""
    for row in range(values.shape[0]):
        for place in range(values.shape[1]):
            value = np.float64(np.float32(values[row, place]))  # as training compared them
            if rows[place] == 0 or np.isnan(value):
                found[row, place] = np.nan
                continue
            value = np.float64(min(max(value, -_LARGEST), _LARGEST))
            low, high = 0, knots.shape[1]  # the first knot above the value is among low..high
            while low < high:
                middle = (low + high) // 2
                if knots[place, middle] <= value:
                    low = middle + 1
                else:
                    high = middle
            if low == 0:
                found[row, place] = 0.0
                continue
            count = np.float64(below[place, low - 1])
            if knots[place, low - 1] < value:
                count = np.float64(through[place, low - 1])
                if through[place, low - 1] < rows[place]:
                    way = (value - knots[place, low - 1]) / (knots[place, low] - knots[place, low - 1])
                    count += min(way, _BEFORE) * (below[place, low] - count)
            found[row, place] = count / rows[place]
