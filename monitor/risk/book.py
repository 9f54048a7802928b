"""The book of risk: what labels said of merchants, devices and places, from which moment on. Looked up for every payment.

A snapshot is in force from its own `effective_ms` until the next one's, by event time, and never beyond its `expires_ms`. A payment before the first or
after the last expired one has NaN for risk: nobody knows, which is not the same as no risk.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.features.catalogue import ACCOUNT_FEATURES, CATALOGUE, RISK_NAMES
from monitor.risk.entities import entities_of
from monitor.risk.figures import NOTHING_KNOWN, features_of
from monitor.state.key_index import UNKNOWN, KeyIndex
from monitor.wire import columns as cells
from monitor.wire.columns import Columns
from monitor.wire.records import Spans


@dataclass(frozen=True, slots=True)
class Entities:
    """The entities of one kind with a confirmed fraud: `index` gives entity i slot i; `figures` int64[m, len(FIGURES)]."""

    index: KeyIndex
    figures: NDArray[np.int64]

    @classmethod
    def of(cls, names: Spans, figures: NDArray[np.int64]) -> "Entities":
        """Those named, all different, in this order."""
        index = KeyIndex()
        index.slots(names)
        if len(index) != len(figures):
            raise ValueError(f"names: {len(index)} different ones for {len(figures)} rows of figures")
        return cls(index, figures)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was known at one moment. `entities`: one a kind of `RISK_KINDS`. `delay_ms`: how long labels were taken to need. `seal` stands
    for every byte of the artifact it was loaded from, empty for none.
    """

    version: str
    effective_ms: int
    expires_ms: int
    delay_ms: int
    entities: tuple[Entities, ...]
    seal: str = ""


@dataclass(frozen=True, slots=True)
class Book:
    """Snapshots, ascending by `effective_ms`, no two alike. `version`: their names, as audit blocks keep it; empty for none."""

    snapshots: tuple[Snapshot, ...] = ()
    version: str = ""

    @classmethod
    def of(cls, snapshots: Iterable[Snapshot]) -> "Book":
        """The snapshots as a book; of those with one `effective_ms` the last by name."""
        by_moment = {each.effective_ms: each for each in sorted(snapshots, key=lambda each: each.version)}
        ordered = tuple(by_moment[moment] for moment in sorted(by_moment))
        return cls(ordered, ",".join(each.version for each in ordered))

    def in_force(self, event_time: NDArray[np.int64]) -> NDArray[np.int64]:
        """Which snapshot holds for each of `n` event times, int64[n]; -1 for none."""
        if not self.snapshots:
            return np.full(len(event_time), -1)
        effective = np.array([each.effective_ms for each in self.snapshots])
        expires = np.array([each.expires_ms for each in self.snapshots])
        held = np.searchsorted(effective, event_time, side="right") - 1
        return np.where((held >= 0) & (event_time < expires[held]), held, -1)


def with_risk(features: NDArray[np.float64], columns: Columns, kinds: Sequence[int], book: Book) -> NDArray[np.float64]:
    """The features of `n` payments' accounts, float64[n, len(ACCOUNT_FEATURES)], and behind them the risk of `kinds`: float64[n, len(CATALOGUE)].

    The columns of other kinds are NaN. Without kinds, `features` as they are.
    """
    if not kinds:
        return features
    whole = np.full((len(features), len(CATALOGUE)), np.nan)
    whole[:, : features.shape[1]] = features
    times = columns.longs[cells.EVENT_TIME]
    held = book.in_force(times)
    chosen = np.unique(held).tolist()
    for kind in kinds:
        touched = entities_of(columns, kind)
        first = len(ACCOUNT_FEATURES) + kind * len(RISK_NAMES)
        made = whole[:, first : first + len(RISK_NAMES)]
        made[:] = np.where((held >= 0)[:, None], NOTHING_KNOWN, np.nan)
        for number in chosen:
            if number >= 0:
                entities = book.snapshots[number].entities[kind]
                slots = entities.index.find(touched, held == number)
                rows = np.flatnonzero(slots != UNKNOWN)
                made[rows] = features_of(entities.figures[slots[rows]], times[rows])
    return whole
