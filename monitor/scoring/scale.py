"""A scale: what a method's own score is worth on the forest's, so that scores of different methods can be compared.

A merchant's share of fraud, a probability and a path length have no common unit. Their rarity has one: a scale maps each score to that score of the
forest which is as rare in training (`monitor/learn/blend.py`), along a line through given points. The forest's own scores stay what they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.errors import ArtifactError

MOST_POINTS = 4096


@dataclass(frozen=True, slots=True)
class Scale:
    """A line through points: `raw` float64[p], ascending, is worth `worth` float64[p], never falling, 0 to 1; level beyond its ends."""

    raw: NDArray[np.float64]
    worth: NDArray[np.float64]
    _slope: NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_slope", np.diff(self.worth) / np.diff(self.raw))

    def of(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """What `scores` float64[n] are worth, float64[n]; NaN for NaN. Rounded operation by operation: the same bits on every processor."""
        at = np.clip(np.searchsorted(self.raw, scores, side="right") - 1, 0, len(self._slope) - 1)
        low, high = self.worth[at], self.worth[at + 1]
        step = (scores - self.raw[at]) * self._slope[at]
        return np.clip(low + step, low, high)

    def entry(self) -> dict[str, list[str]]:
        """As a manifest keeps it, in hexadecimal floats; `from_entry` takes it back."""
        return {name: [float(each).hex() for each in getattr(self, name)] for name in ("raw", "worth")}

    @classmethod
    def from_entry(cls, entry: Any, where: str) -> "Scale":
        """The scale of `entry()`; `where` names it in errors. Raises `ArtifactError`."""
        try:
            raw, worth = (np.array([float.fromhex(each) for each in entry[name]]) for name in ("raw", "worth"))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ArtifactError(f"{where}: scale: not hexadecimal floats ({error}); restore the file") from None
        fits = 2 <= len(raw) == len(worth) <= MOST_POINTS and bool(np.isfinite(raw).all() and np.isfinite(worth).all())
        if not fits or not (np.diff(raw) > 0).all() or not (np.diff(worth) >= 0).all() or worth[0] < 0 or worth[-1] > 1:
            raise ArtifactError(
                f"{where}: scale: {len(raw)} points, expected 2 to {MOST_POINTS} that ascend, worth 0 to 1; restore the file"
            )
        return cls(raw, worth)


def scale_of(points: Mapping[float, float]) -> Scale:
    """The scale through `points`."""
    raw = np.array(sorted(points))
    return Scale(raw, np.array([points[each] for each in raw.tolist()]))
