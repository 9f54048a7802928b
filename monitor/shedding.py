"""What is left out when decisions are late: explanations, never decisions. Pure: times are passed in."""

HOLD_S = 10.0
"""So long after the last run that was late it still counts as happening: runs in time and runs that are late take turns while a backlog is worked off."""


class Shedding:
    """A run is late when its oldest record has waited for more than `after_s` seconds, by its Kafka timestamp; 0: none ever is."""

    def __init__(self, after_s: float = 0.0) -> None:
        self._after_ms = after_s * 1000
        self._last_s: float | None = None

    def sheds(self, oldest_ms: int, now_ms: int, monotonic_s: float) -> bool:
        """Whether a run, about to be decided, goes without explanations. `oldest_ms` 0 and below: its age is not known, and it does not."""
        late = self._after_ms > 0 and oldest_ms > 0 and now_ms - oldest_ms > self._after_ms
        if late:
            self._last_s = monotonic_s
        return late

    def is_on(self, monotonic_s: float) -> bool:
        """Whether explanations are being left out these days: there was a late run in the last `HOLD_S`."""
        return self._last_s is not None and monotonic_s - self._last_s <= HOLD_S
