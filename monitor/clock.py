"""Time, passed in. Nothing below the composition root reads the wall clock by itself."""

import time
from typing import Protocol


class Clock(Protocol):
    """What the monitor needs of time."""

    def now_ms(self) -> int:
        """Wall time, milliseconds since the epoch, UTC."""
        ...

    def monotonic_s(self) -> float:
        """Seconds from an arbitrary point, never going back: for durations."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """Wall time, milliseconds since the epoch, UTC."""
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        """Seconds from an arbitrary point, never going back."""
        return time.monotonic()


class ManualClock:
    """A clock that stands still until told otherwise: for tests, ours and our users'."""

    def __init__(self, now_ms: int = 1_790_000_000_000) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        """The time it was last set to, milliseconds since the epoch."""
        return self._now_ms

    def monotonic_s(self) -> float:
        """The same time, in seconds."""
        return self._now_ms / 1000

    def advance_ms(self, by_ms: int) -> None:
        """Let `by_ms` milliseconds pass."""
        self._now_ms += by_ms
