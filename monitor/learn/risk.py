"""Risk features of a dataset: of each day, by what was known at its midnight (UTC)."""

import numpy as np
from numpy.typing import NDArray

from monitor.errors import DatasetError
from monitor.learn.dataset import Dataset
from monitor.risk.figures import FEATURES, LONG_MS, LOW_QUANTILE, NOTHING_KNOWN, Known, Seen, features_of, known_at
from monitor.state.layout import DAY_MS


def risk_features(data: Dataset, kind: int, delay_ms: int) -> NDArray[np.float32]:
    """float32[n, len(FEATURES)] of the dataset's rows, for their entities of `kind`, when labels take `delay_ms` to come.

    Raises `DatasetError` unless the rows are in order of event time.
    """
    if (np.diff(data.event_time) < 0).any():
        raise DatasetError("payments: not in order of event time, so that no midnight parts them; give them as a file")
    seen = Seen(data.entities[:, kind].astype(np.int64), data.event_time, data.amount, data.fraud, data.label_time)
    made = np.empty((len(data), len(FEATURES)), np.float32)
    made[:] = NOTHING_KNOWN
    midnights = np.unique(data.event_time // DAY_MS) * DAY_MS
    ends = np.searchsorted(data.event_time, np.append(midnights, midnights[-1] + DAY_MS))
    for midnight, start, end in zip(midnights.tolist(), ends[:-1].tolist(), ends[1:].tolist(), strict=True):
        known = known_at(seen, midnight, delay_ms, low_amount(seen, midnight, delay_ms))
        rows, at = looked_up(known, seen.entity[start:end])
        made[start + rows] = features_of(known.figures[at], seen.event_time[start + rows])
    return made


def looked_up(known: Known, entity: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which of `entity` int64[n] are known, and where in `known`: two int64[hits]."""
    if not known.entity.size:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    at = np.minimum(np.searchsorted(known.entity, entity), known.entity.size - 1)
    rows = np.flatnonzero(known.entity[at] == entity)
    return rows, at[rows]


def low_amount(seen: Seen, effective_ms: int, delay_ms: int) -> int:
    """The greatest amount that is low at `effective_ms`: a quantile of the amounts in the 30 days before labels mature; 0 without any."""
    mature = effective_ms - delay_ms
    first, last = np.searchsorted(seen.event_time, [mature - LONG_MS, mature])
    amounts = seen.amount[int(first) : int(last)]
    return int(np.quantile(amounts, LOW_QUANTILE, method="lower")) if amounts.size else 0
