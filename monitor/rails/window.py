"""What came over each rail in the last while: a ring of buckets of the worker's monotonic time, counted a run at a time."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.jit import kernel
from monitor.rails.limits import RAILS, UNKNOWN
from monitor.wire.columns import CHANNEL, EVENT_TIME, Columns

BUCKETS = 12
"""Of the ring. The window is between eleven and twelve of them long."""

LAG_EDGES_S = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 21_600.0, 86_400.0, 604_800.0)
"""Lower edges of the classes of lag; the limit and half of it are edges too, so that what is said of those is exact."""

_ADMITTED, _REJECTED, _LAGS = range(3)
_UNKNOWN, _ANY_ADMITTED = UNKNOWN, len(RAILS)  # a kernel takes plain numbers


class Traffic(NamedTuple):
    """Of one rail over the window. `late` and `half_late`: admitted payments whose lag is at or above the limit, or half of it; `timed`: all whose lag
    is known; `lag_s`: the lag that half of those have or exceed, as the edge below it; None where nothing is known.
    """

    admitted: int
    rejected: int
    timed: int
    late: int
    half_late: int
    lag_s: float | None

    @property
    def records(self) -> int:
        """All of them."""
        return self.admitted + self.rejected

    def is_on_time(self, least_records: int) -> bool:
        """Whether enough payments are known, and nearly all of them lag by less than half the limit."""
        return self.timed >= least_records and 10 * self.half_late < self.timed

    @property
    def reject_share(self) -> float | None:
        """0 to 1; None without records."""
        return self.rejected / self.records if self.records else None


NO_TRAFFIC = Traffic(0, 0, 0, 0, 0, None)


class RailWindow:
    """Counts of each rail over the last `window_s` seconds, and since the start. `lag_limit_s` as in `RailLimits.lag_s`."""

    def __init__(self, window_s: float, lag_limit_s: float) -> None:
        self._width_s = window_s / BUCKETS
        self._edges_s = sorted({*LAG_EDGES_S, lag_limit_s, lag_limit_s / 2})
        self._late_from = self._edges_s.index(lag_limit_s) + 1
        self._half_late_from = self._edges_s.index(lag_limit_s / 2) + 1
        self._edges_ms = np.array([round(edge * 1000) for edge in self._edges_s], np.int64)
        cells = _LAGS + len(self._edges_s) + 1
        self._ring = np.zeros((BUCKETS, len(RAILS), cells), np.int64)
        self._gone = np.zeros((len(RAILS), cells), np.int64)
        self._tick = 0
        nothing = np.zeros(0, np.int64)  # loads the kernel: no run waits for it
        self._count(nothing, nothing.astype(np.uint8), nothing.astype(np.uint8), nothing, nothing)

    def add(
        self, columns: Columns, reasons: NDArray[np.uint8], timestamps: NDArray[np.int64], now_s: float
    ) -> tuple[list[int], bool]:
        """Count a run of n records: `reasons` uint8[n], 0 where admitted; `timestamps` int64[n], Kafka's, ms, below 0 for none.

        The rails it had records of, and whether any was admitted.
        """
        self._turn(now_s)
        longs = columns.longs
        found = self._count(longs[CHANNEL], columns.reason, reasons, longs[EVENT_TIME], timestamps)
        return [rail for rail in range(len(RAILS)) if found >> rail & 1], bool(found >> _ANY_ADMITTED & 1)

    def clear(self) -> None:
        """Forget what the window has; what was counted since the start stays."""
        self._gone += self._ring.sum(axis=0)
        self._ring[:] = 0

    def traffic(self, now_s: float) -> list[Traffic]:
        """Of each of `RAILS`."""
        self._turn(now_s)
        return [
            self._of(cells) if cells[_ADMITTED] or cells[_REJECTED] else NO_TRAFFIC
            for cells in self._ring.sum(axis=0).tolist()
        ]

    def ever(self) -> list[tuple[int, int]]:
        """Admitted and rejected of each of `RAILS` since the start."""
        counts = (self._gone + self._ring.sum(axis=0)).tolist()
        return [(cells[_ADMITTED], cells[_REJECTED]) for cells in counts]

    def _of(self, cells: list[int]) -> Traffic:
        lags = cells[_LAGS:]
        timed = sum(lags)
        lag_s, later = None, 0
        for place in range(len(lags) - 1, -1, -1):
            later += lags[place]
            if timed and 2 * later >= timed:
                lag_s = self._edges_s[place - 1] if place else 0.0
                break
        late, half_late = sum(lags[self._late_from :]), sum(lags[self._half_late_from :])
        return Traffic(cells[_ADMITTED], cells[_REJECTED], timed, late, half_late, lag_s)

    def _turn(self, now_s: float) -> None:
        """Forget buckets that the window has left."""
        tick = int(now_s / self._width_s)
        for gone in range(max(self._tick, tick - BUCKETS) + 1, tick + 1):
            bucket = self._ring[gone % BUCKETS]
            self._gone += bucket
            bucket[:] = 0
        self._tick = max(tick, self._tick)

    def _count(
        self,
        channel: NDArray[np.int64],
        undecoded: NDArray[np.uint8],
        reasons: NDArray[np.uint8],
        event_times: NDArray[np.int64],
        timestamps: NDArray[np.int64],
    ) -> int:
        bucket = self._ring[self._tick % BUCKETS]
        return int(_count_records(channel, undecoded, reasons, event_times, timestamps, self._edges_ms, bucket))


@kernel
def _count_records(channel, undecoded, reasons, event_times, timestamps, edges_ms, bucket):  # type: ignore[no-untyped-def]
    """Add n records to `bucket` int64[rails, cells]; bits of the rails they are of, and one for any admitted."""
    found = 0
    for row in range(reasons.shape[0]):
        rail = _UNKNOWN if undecoded[row] != 0 else channel[row]
        found |= 1 << rail
        rejected = 1 if reasons[row] != 0 else 0
        bucket[rail, rejected] += 1
        if rejected == 0:
            found |= 1 << _ANY_ADMITTED
            if timestamps[row] >= 0:
                lag, place = timestamps[row] - event_times[row], 0
                while place < edges_ms.shape[0] and lag >= edges_ms[place]:
                    place += 1
                bucket[rail, _LAGS + place] += 1
    return found
