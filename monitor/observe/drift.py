"""Drift without labels: does what is scored now look like what the model was trained on? Per feature, for the score, and per payment rail.

The population stability index compares shares of bins (Siddiqi, "Credit Risk Scorecards", 2006): sum over bins of (now - then) * ln(now / then).
Below 0.1 nothing moved, from 0.25 on the model sees another world. Bins are the deciles of the training; a value that is common there
fills several, which then count as one. One record in `EVERY` is looked at, of its offset, so that every replay looks at the same ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.jit import kernel
from monitor.wire.columns import CHANNELS

BINS = 10
SCORE = "anomaly_score"
"""The last row of a reference: not a feature, but looked at like one."""

EVERY = 16
FORGET_AT = 40_000
"""Records of a rail in the window; at so many, all counts are halved: what is old fades."""

FEWEST = 500
"""Records below which nothing is known, of a rail now and of its training."""

MOVED = 0.25
"""From here on the model sees another world."""


@dataclass(frozen=True, slots=True)
class Reference:
    """The training, for comparison: `names` of f features, the score last; `edges` float64[f, BINS - 1], ascending, padded with inf;
    `shares` float64[rails, f, BINS], NaN for a rail that was rare. `rails`: their names.
    """

    names: tuple[str, ...]
    rails: tuple[str, ...]
    edges: NDArray[np.float64]
    shares: NDArray[np.float64]

    def entry(self) -> dict[str, Any]:
        """As a manifest keeps it; `from_entry` takes it back."""
        return {
            "names": list(self.names),
            "rails": list(self.rails),
            "edges": [[each for each in row if np.isfinite(each)] for row in self.edges.tolist()],
            "shares": {
                rail: shares.tolist()
                for rail, shares in zip(self.rails, self.shares, strict=True)
                if np.isfinite(shares).all()
            },
        }

    @classmethod
    def from_entry(cls, entry: Any) -> "Reference | None":
        """The reference of `entry()`; None for what is not one: a model without it serves as well."""
        try:
            names, rails = tuple(map(str, entry["names"])), tuple(map(str, entry["rails"]))
            edges = np.full((len(names), BINS - 1), np.inf)
            for row, given in zip(edges, entry["edges"], strict=True):
                row[: len(given)] = given
            shares = np.full((len(rails), len(names), BINS), np.nan)
            for rail, given in entry["shares"].items():
                shares[rails.index(rail)] = given
        except (KeyError, TypeError, ValueError, AttributeError):
            return None
        return cls(names, rails, edges, shares)


def reference_of(
    rows: NDArray[np.float64], names: Sequence[str], rail: NDArray[np.uint8], rails: Sequence[str]
) -> Reference:
    """The reference of training rows float64[n, f], the score in the last column; `rail` uint8[n], places in `rails`."""
    edges = np.full((rows.shape[1], BINS - 1), np.inf)
    for row, column in zip(edges, rows.T, strict=True):
        found = np.unique(np.quantile(column, np.linspace(0, 1, BINS + 1)[1:-1]))
        row[: found.size] = found
    counts = np.zeros((len(rails), rows.shape[1], BINS), np.int64)
    _count(np.ascontiguousarray(rows), np.ascontiguousarray(rail), edges, counts)
    totals = counts.sum(axis=2, keepdims=True)
    shares = np.where(totals >= FEWEST, counts / np.maximum(totals, 1), np.nan)
    return Reference(tuple(names), tuple(rails), edges, shares)


class Drift:
    """What is scored now, in the bins of a reference. Call its methods from one thread at a time."""

    def __init__(self, reference: Reference) -> None:
        self.reference = reference
        self._counts = np.zeros(reference.shares.shape, np.int64)
        self.add(np.zeros((0, len(reference.names))), np.zeros(0, np.uint8))  # loads the kernel: no run waits for it

    def add(self, rows: NDArray[np.float64], rail: NDArray[np.uint8]) -> None:
        """Further rows float64[n, f] of rails uint8[n]; columns as in the reference."""
        _count(np.ascontiguousarray(rows), rail, self.reference.edges, self._counts)
        full = self._counts[:, -1, :].sum(axis=1) > FORGET_AT
        self._counts[full] //= 2

    def indexes(self) -> dict[tuple[str, str], float]:
        """The index by (feature, rail); NaN where nothing is known, now or of the training."""
        totals = self._counts.sum(axis=2, keepdims=True)
        now = np.where(totals >= FEWEST, (self._counts + 0.5) / (totals + 0.5 * BINS), np.nan)
        then = (self.reference.shares * FORGET_AT + 0.5) / (FORGET_AT + 0.5 * BINS)
        # a bin that neither knows says nothing: its terms are next to 0 by themselves
        found = ((now - then) * np.log(now / then)).sum(axis=2)
        return {
            (name, rail): float(found[place, column])
            for place, rail in enumerate(self.reference.rails)
            for column, name in enumerate(self.reference.names)
        }


class DriftWatch:
    """The drift of whatever model is being served: `follow` it, `record` runs, ask for `indexes`. One thread at a time."""

    def __init__(self) -> None:
        self._following: tuple[str, str] | None = None
        self._drift: Drift | None = None
        self._columns = np.zeros(0, np.int64)

    def follow(self, version: str, seal: str, entry: Any, columns: NDArray[np.int64]) -> None:
        """Watch the model whose manifest has the reference `entry` for its features at `columns`; nothing is forgotten if it is watched already."""
        if (version, seal) == self._following:
            return
        reference = Reference.from_entry(entry)
        # rails are indices in a kernel that checks none
        fits = reference is not None and len(reference.names) == len(columns) + 1 and reference.rails == CHANNELS
        self._following, self._columns = (version, seal), columns
        self._drift = Drift(reference) if reference is not None and fits else None

    def record(
        self,
        version: str,
        features: NDArray[np.float64],
        scores: NDArray[np.float64],
        channel: NDArray[np.int64],
        offsets: NDArray[np.int64],
    ) -> None:
        """A run's n records, scored by the model `version`: the catalogue matrix, scores (NaN: not scored), rails, offsets; a sample of them counts."""
        if self._drift is None or self._following is None or self._following[0] != version:
            return
        rows = np.flatnonzero((offsets % EVERY == 0) & ~np.isnan(scores))
        if rows.size:
            chosen = np.column_stack((features[rows[:, None], self._columns], scores[rows]))
            self._drift.add(chosen, channel[rows].astype(np.uint8))

    def indexes(self) -> dict[tuple[str, str], float]:
        """As `Drift.indexes`; empty where the model has no reference."""
        return {} if self._drift is None else self._drift.indexes()


@kernel
def _count(rows, rail, edges, counts):  # type: ignore[no-untyped-def]
    """Add each of `rows` to `counts` int64[rails, f, BINS] of its rail."""
    for row in range(rows.shape[0]):
        for column in range(rows.shape[1]):
            value, place = rows[row, column], 0
            if np.isnan(value):
                continue
            while place < edges.shape[1] and value > edges[column, place]:
                place += 1
            counts[rail[row], column, place] += 1
