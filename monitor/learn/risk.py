"""Risk features of a dataset, and snapshots for workers: one definition, one count (`monitor/risk/figures.py`)."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from monitor.errors import DatasetError
from monitor.features.catalogue import RISK_KINDS, RISK_NAMES, risk_name
from monitor.learn.dataset import Dataset
from monitor.risk.book import Entities, Snapshot
from monitor.risk.figures import LONG_MS, LOW_QUANTILE, NOTHING_KNOWN, Known, Seen, features_of, known_at
from monitor.state.layout import DAY_MS
from monitor.wire.records import Spans


def with_risk(data: Dataset, names: tuple[str, ...], delay_ms: int) -> Dataset:
    """`data` with those of its risk features that are among `names`, of each day by what was known at its midnight (UTC).

    So a model learns from what daily snapshots would have said. Labels take `delay_ms` to come. Raises `DatasetError`.
    """
    columns, added = [data.features], []
    for kind, of in enumerate(RISK_KINDS):
        wanted = [place for place, name in enumerate(RISK_NAMES) if risk_name(of, name) in names]
        if wanted:
            columns.append(risk_features(data, kind, delay_ms)[:, wanted])
            added += [risk_name(of, RISK_NAMES[place]) for place in wanted]
    if not added:
        return data
    return replace(data, names=(*data.names, *added), features=np.concatenate(columns, axis=1))


def risk_features(data: Dataset, kind: int, delay_ms: int) -> NDArray[np.float32]:
    """float32[n, len(RISK_NAMES)] of the dataset's rows, for their entities of `kind`, when labels take `delay_ms` to come.

    Raises `DatasetError` unless the rows are in order of event time.
    """
    seen = _seen(data, kind)
    made = np.empty((len(data), len(RISK_NAMES)), np.float32)
    made[:] = NOTHING_KNOWN
    midnights = np.unique(data.event_time // DAY_MS) * DAY_MS
    ends = np.searchsorted(data.event_time, np.append(midnights, midnights[-1] + DAY_MS))
    for midnight, start, end in zip(midnights.tolist(), ends[:-1].tolist(), ends[1:].tolist(), strict=True):
        known = known_at(seen, midnight, delay_ms, low_amount(seen, midnight, delay_ms))
        rows, at = looked_up(known, seen.entity[start:end])
        made[start + rows] = features_of(known.figures[at], seen.event_time[start + rows])
    return made


def snapshot(data: Dataset, version: str, effective_ms: int, expires_ms: int, delay_ms: int) -> Snapshot:
    """What `data` says at `effective_ms`, for workers to load. Raises `DatasetError` where nothing of the 30 days before is in it."""
    kinds = []
    for kind in range(len(RISK_KINDS)):
        seen = _seen(data, kind)
        known = known_at(seen, effective_ms, delay_ms, low_amount(seen, effective_ms, delay_ms))
        names = data.entity_names[kind].keys(known.entity)
        kinds.append(Entities.of(Spans.of(names), known.figures))
    mature = effective_ms - delay_ms
    if not ((data.event_time >= mature - LONG_MS) & (data.event_time < mature)).any():
        raise DatasetError(
            "payments: none in the 30 days before labels mature at the moment asked for; give later payments, or an earlier --effective"
        )
    return Snapshot(version, effective_ms, expires_ms, delay_ms, tuple(kinds))


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


def _seen(data: Dataset, kind: int) -> Seen:
    if (np.diff(data.event_time) < 0).any():
        raise DatasetError("payments: not in order of event time, so that no midnight parts them; give them as a file")
    return Seen(data.entities[:, kind].astype(np.int64), data.event_time, data.amount, data.fraud, data.label_time)
