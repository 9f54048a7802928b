"""When people pay: hours of the day, days of the week, months of the year."""

from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from monitor.simulate.places import ZONE_MS

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
WEEK_HOURS = 168

_EPOCH_HOUR_OF_WEEK = 72
"""1970-01-01 was a Thursday; hours of the week count from Monday."""

_COMMUTER = (3, 2, 1, 1, 2, 8, 40, 95, 110, 70, 70, 95, 190, 170, 90, 80, 110, 190, 240, 210, 140, 90, 45, 14)
_AT_HOME = (4, 2, 2, 1, 1, 3, 12, 50, 120, 200, 230, 210, 160, 140, 150, 170, 180, 150, 120, 90, 70, 45, 24, 10)
_EVENING = (30, 14, 7, 4, 2, 2, 8, 20, 35, 50, 60, 90, 130, 120, 90, 90, 110, 150, 200, 240, 240, 210, 150, 80)
_NIGHT_SHIFT = (
    110,
    90,
    80,
    70,
    60,
    70,
    110,
    140,
    90,
    40,
    20,
    14,
    16,
    30,
    60,
    100,
    150,
    190,
    200,
    180,
    170,
    160,
    150,
    130,
)
_WEEKEND = (22, 14, 8, 4, 2, 2, 6, 22, 70, 150, 220, 250, 230, 200, 190, 190, 190, 190, 200, 190, 150, 110, 75, 40)

RHYTHM_WEIGHTS = (55, 22, 19, 4)
"""Shares of the four rhythms among accounts: commuter, at home, evening, night shift."""

LIKELIHOOD = np.array(
    [[*day * 5, *_WEEKEND * 2] for day in (_COMMUTER, _AT_HOME, _EVENING)] + [[*_NIGHT_SHIFT * 7]], np.int64
)
"""int64[4 rhythms, 168 local hours of the week], 0 to 255: the chance, in 1/256, that a payment thought of in that hour is made."""

_MONTHS = (92, 93, 98, 99, 101, 102, 103, 98, 99, 101, 108, 126)
"""Level of each month in percent: January lies low, December is Christmas."""

_PAYDAY = 107
"""Level of the days around payday, 26th to 2nd, in percent."""


def hour_of_week(time_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """0 is the hour that starts on Monday at 0:00, in whatever clock `time_ms` is."""
    return (time_ms // HOUR_MS + _EPOCH_HOUR_OF_WEEK) % WEEK_HOURS


def season(day_ms: int) -> int:
    """Level of the UTC day that begins at `day_ms`, in 1/10,000."""
    day = datetime.fromtimestamp(day_ms / 1000, UTC)
    return _MONTHS[day.month - 1] * (_PAYDAY if day.day >= 26 or day.day <= 2 else 100)


def hourly_levels(start_ms: int, end_ms: int, weights: NDArray[np.int64]) -> NDArray[np.int64]:
    """How busy each UTC hour from the one of `start_ms` to the one of `end_ms` is, at most 2**31.

    `weights` int64[rhythms, places]: the activity of all accounts of that rhythm living in that place.
    """
    week = np.arange(WEEK_HOURS) * HOUR_MS - _EPOCH_HOUR_OF_WEEK * HOUR_MS
    busy = np.zeros(WEEK_HOURS, np.int64)
    for rhythm, place in np.argwhere(weights):
        busy += weights[rhythm, place] * LIKELIHOOD[rhythm, hour_of_week(week + ZONE_MS[place])]
    busy = busy * 1000 // max(int(busy.max()), 1) + 1
    hours = np.arange(start_ms // HOUR_MS, (end_ms - 1) // HOUR_MS + 1) * HOUR_MS
    days = {int(day): season(int(day)) for day in np.unique(hours // DAY_MS * DAY_MS)}
    level = np.array([days[int(day)] for day in hours // DAY_MS * DAY_MS], np.int64)
    return busy[hour_of_week(hours)] * level


def shares_before(edges_ms: list[int], levels: NDArray[np.int64], start_ms: int) -> list[tuple[int, int]]:
    """For each edge, the exact share of all activity before it, as (numerator, denominator).

    `levels` are those of `hourly_levels` from `start_ms`; the first edge has share 0, the last one 1.
    """
    first_hour = start_ms // HOUR_MS
    upto = [0, *np.cumsum(levels * HOUR_MS).tolist()]

    def before(edge_ms: int) -> int:
        hour, rest = edge_ms // HOUR_MS - first_hour, edge_ms % HOUR_MS
        return int(upto[hour] + (int(levels[hour]) * rest if rest else 0))

    low, high = before(edges_ms[0]), before(edges_ms[-1])
    return [(before(edge) - low, high - low) for edge in edges_ms]
