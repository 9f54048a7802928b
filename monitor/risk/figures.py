"""What is known of an entity's frauds at one moment, and the features that follow from it.

A label comes late. So at moment E, with a label delay L, an entity is judged by the payments that labels have had time to reach (event
time before E - L) and by those whose fraud is known already; nothing else is counted, and no label is used before its own
`label_time`. A window of W days is [E - L - W, E).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.features.catalogue import RISK_NAMES
from monitor.state.layout import DAY_MS

LATEST_MS, SHORT_MS, LONG_MS = 3 * DAY_MS, 7 * DAY_MS, 30 * DAY_MS

FIGURES = (
    "payments_3d",
    "frauds_3d",
    "payments_7d",
    "frauds_7d",
    "payments_30d",
    "frauds_30d",
    "low_frauds_30d",
    "first_fraud_ms",
    "last_fraud_ms",
    "streak",
)
"""Columns of `Known.figures`. Frauds are confirmed ones; a low fraud is one of at most the `low_amount` given to `known_at`; the streak is of confirmed frauds with nothing genuine after them."""

(
    PAYMENTS_3D,
    FRAUDS_3D,
    PAYMENTS_7D,
    FRAUDS_7D,
    PAYMENTS_30D,
    FRAUDS_30D,
    LOW_FRAUDS_30D,
    FIRST_FRAUD,
    LAST_FRAUD,
    STREAK,
) = range(len(FIGURES))

LOW_QUANTILE = 0.9
"""Of the amounts counted in 30 days: what is not above it is a low amount. A high one may be fraud by itself; a low one speaks of where it was made."""

SHRINK = 3.0
"""Payments without fraud that every entity is given beforehand: one fraud in one payment is a share of a quarter."""

MENDED_DAYS = 25.0
"""A compromise known for so long has ended as often as not. The decay is a quotient, so that it has the same bits on every processor."""

NEVER_AGE = 365.0
"""Days since the last fraud where there was none: long ago, so that young is always what is suspicious."""


@dataclass(frozen=True, slots=True)
class Seen:
    """`n` payments in order of event time, as one kind of entity sees them: `entity` int64[n], a small number each, below 0 for none;
    `event_time`, `amount` (base minor), `label_time` int64[n]; `fraud` bool[n].
    """

    entity: NDArray[np.int64]
    event_time: NDArray[np.int64]
    amount: NDArray[np.int64]
    fraud: NDArray[np.bool_]
    label_time: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Known:
    """The entities with a confirmed fraud in the long window: `entity` int64[m], ascending; `figures` int64[m, len(FIGURES)]."""

    entity: NDArray[np.int64]
    figures: NDArray[np.int64]


def known_at(seen: Seen, effective_ms: int, delay_ms: int, low_amount: int) -> Known:
    """What `seen` says at `effective_ms` of the entities that had a confirmed fraud in 30 days before labels mature, or since."""
    first, last = np.searchsorted(seen.event_time, [effective_ms - delay_ms - LONG_MS, effective_ms])
    part = slice(int(first), int(last))
    entity, time = seen.entity[part], seen.event_time[part]
    confirmed = seen.fraud[part] & (seen.label_time[part] < effective_ms) & (entity >= 0)
    counted = (confirmed | (time < effective_ms - delay_ms)) & (entity >= 0)
    latest, short = (time >= effective_ms - delay_ms - window for window in (LATEST_MS, SHORT_MS))
    chosen = np.unique(entity[confirmed])
    size = int(chosen[-1]) + 1 if chosen.size else 0

    def count(rows: NDArray[np.bool_]) -> NDArray[np.int64]:
        found = entity[rows]
        return np.bincount(found[found < size], minlength=size)[chosen]

    figures = np.empty((chosen.size, len(FIGURES)), np.int64)
    figures[:, PAYMENTS_3D], figures[:, FRAUDS_3D] = count(counted & latest), count(confirmed & latest)
    figures[:, PAYMENTS_7D], figures[:, FRAUDS_7D] = count(counted & short), count(confirmed & short)
    figures[:, PAYMENTS_30D], figures[:, FRAUDS_30D] = count(counted), count(confirmed)
    figures[:, LOW_FRAUDS_30D] = count(confirmed & (seen.amount[part] <= low_amount))
    rows = np.flatnonzero(confirmed)
    last_time, first_time = np.zeros(size, np.int64), np.zeros(size, np.int64)
    last_time[entity[rows]] = time[rows]  # in order: the last one stays
    first_time[entity[rows[::-1]]] = time[rows[::-1]]
    figures[:, FIRST_FRAUD], figures[:, LAST_FRAUD] = first_time[chosen], last_time[chosen]
    genuine = np.full(size, -1, np.int64)
    others = np.flatnonzero(counted & ~confirmed & (entity < size))
    genuine[entity[others]] = others
    figures[:, STREAK] = np.bincount(entity[rows][rows > genuine[entity[rows]]], minlength=size)[chosen]
    return Known(chosen, figures)


def features_of(figures: NDArray[np.int64], event_time: NDArray[np.int64]) -> NDArray[np.float64]:
    """float64[n, len(RISK_NAMES)] of the entities that `n` payments at `event_time` touch, whose figures are int64[n, len(FIGURES)].

    Risks are shares, shrunk by `SHRINK` payments; ages are in days since the first and the last confirmed fraud of the long window.
    """
    made = np.empty((len(figures), len(RISK_NAMES)))
    for column, (frauds, payments) in enumerate(_SHARES):
        made[:, column] = figures[:, frauds] / (figures[:, payments] + SHRINK)
    made[:, 4] = (event_time - figures[:, FIRST_FRAUD]) / DAY_MS
    made[:, 5] = (event_time - figures[:, LAST_FRAUD]) / DAY_MS
    made[:, 6] = figures[:, STREAK]
    found = 1.0 - (1.0 - made[:, 0]) * (1.0 - made[:, 1])
    made[:, 7] = found / (1.0 + (made[:, 4] / MENDED_DAYS) ** 2)
    return made


_SHARES = (
    (FRAUDS_3D, PAYMENTS_3D),
    (FRAUDS_7D, PAYMENTS_7D),
    (FRAUDS_30D, PAYMENTS_30D),
    (LOW_FRAUDS_30D, PAYMENTS_30D),
)

NOTHING_KNOWN = np.array([0.0, 0.0, 0.0, 0.0, NEVER_AGE, NEVER_AGE, 0.0, 0.0])
"""The features of an entity without a confirmed fraud, and of a payment without such an entity."""
