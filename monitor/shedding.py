"""What is left out when decisions are late: explanations, never decisions. Pure: times are passed in."""

import numpy as np
from numpy.typing import NDArray

HOLD_S = 10.0
"""So long after the last run that was late it still counts as happening: runs in time and runs that are late take turns while a backlog is worked off."""


class Shedding:
    """A run is late when more than half of its records have waited for more than `after_s` seconds, by their Kafka timestamps; 0: none ever is.

    One record says nothing: its timestamp is its producer's, and a run has records of many.
    """

    def __init__(self, after_s: float = 0.0) -> None:
        self._after_ms = after_s * 1000
        self._last_s: float | None = None

    def sheds(self, written_ms: NDArray[np.int64], now_ms: int, monotonic_s: float) -> bool:
        """Whether a run of n >= 1 records, about to be decided, goes without explanations. `written_ms` int64[n], Kafka's; 0 and below: of no known age, not late."""
        late = self._after_ms > 0 and self._is_late(written_ms, now_ms)
        if late:
            self._last_s = monotonic_s
        return late

    def _is_late(self, written_ms: NDArray[np.int64], now_ms: int) -> bool:
        waited_long = (written_ms > 0) & (written_ms < now_ms - self._after_ms)
        return 2 * int(np.count_nonzero(waited_long)) > written_ms.size

    def is_on(self, monotonic_s: float) -> bool:
        """Whether explanations are being left out these days: there was a late run in the last `HOLD_S`."""
        return self._last_s is not None and monotonic_s - self._last_s <= HOLD_S
