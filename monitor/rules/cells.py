"""A run's transactions as rules see them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.features.catalogue import CATALOGUE, INDEX
from monitor.rules.names import SCORE, SECONDS, SINCE_LAST
from monitor.state.layout import DAY_MS, HOUR_MS
from monitor.wire import columns as cells
from monitor.wire.columns import STRINGS, Columns

_MONDAY = 3
"""The weekday of 1 January 1970."""


@dataclass(frozen=True, slots=True)
class RunCells:
    """The `rows` int64[n] of a run's `columns`; `features` float64[n, k], the catalogue's first columns, and `scores` float64[n] are those rows' own."""

    columns: Columns
    rows: NDArray[np.int64]
    features: NDArray[np.float64]
    scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rows)

    def number(self, name: str) -> NDArray[np.float64]:
        if name == SCORE:
            return self.scores
        if name == "hour":
            return (self._times() % DAY_MS // HOUR_MS).astype(np.float64)
        if name == "time_of_day":
            return self._times() % DAY_MS / 1_000
        column = INDEX[name]
        if column >= self.features.shape[1]:
            return np.full(len(self), np.nan)
        values = np.ascontiguousarray(self.features[:, column])
        if name == SINCE_LAST:
            return np.where(values < 0, np.nan, values)
        return values * SECONDS.get(CATALOGUE[column].unit, 1.0)

    def text(self, name: str) -> NDArray[np.uint64]:
        hashes: NDArray[np.uint64] = self.columns.hashes[STRINGS.index(name)]
        return hashes[self.rows]

    def symbol(self, name: str) -> NDArray[np.int64]:
        if name == "weekday":
            days: NDArray[np.int64] = (self._times() // DAY_MS + _MONDAY) % 7
            return days
        found: NDArray[np.int64] = self.columns.longs[cells.CHANNEL if name == "channel" else cells.DIRECTION]
        return found[self.rows]

    def _times(self) -> NDArray[np.int64]:
        times: NDArray[np.int64] = self.columns.longs[cells.EVENT_TIME]
        return times[self.rows]
