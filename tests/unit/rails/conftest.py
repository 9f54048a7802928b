"""Runs that came over a rail, and a watch with a clock of its own."""

from collections.abc import Callable

import numpy as np
import pytest

from monitor.guard.reasons import Reason
from monitor.rails.limits import RAILS, UNKNOWN, RailLimits
from monitor.rails.watch import RailWatch
from monitor.wire.columns import CHANNEL, EVENT_TIME, LONGS, STRINGS, Columns
from monitor.wire.records import Record, Records, Run

SENT_MS = 1_790_000_000_000


class Rails:
    """A watch, told of runs at a time that only moves when told to."""

    def __init__(self, **limits: float) -> None:
        self.limits = RailLimits(**limits)
        self.watch = RailWatch(self.limits)
        self.now_s = 1_000.0
        self._offset = 0

    def send(
        self, rail: str, good: int = 0, bad: int = 0, lag_s: float = 0.0, partition: int = 0,
        reason: Reason = Reason.UNKNOWN_CURRENCY, timestamp: int = SENT_MS,
    ) -> None:  # fmt: skip
        """One run of one rail, admitted payments first; those of `unknown` could not be decoded."""
        n = good + bad
        longs, strings = np.zeros((len(LONGS), n), np.int64), np.zeros((len(STRINGS), n), np.int64)
        reasons = np.repeat([0, int(reason)], [good, bad]).astype(np.uint8)
        place = RAILS.index(rail)
        longs[CHANNEL], longs[EVENT_TIME] = (0 if place == UNKNOWN else place), SENT_MS - round(lag_s * 1000)
        undecoded = reasons if place == UNKNOWN else np.zeros(n, np.uint8)
        columns = Columns(
            np.zeros(0, np.uint8), longs, strings, strings.astype(np.int32), strings.astype(np.uint64), undecoded, np.zeros(n, np.int32)
        )  # fmt: skip
        records = Records.of([Record(self._offset + at, b"", b"", timestamp) for at in range(n)])
        self._offset += n
        self.watch.record(Run("transactions", partition, -1, records), columns, reasons, self.now_s)

    def wait(self, seconds: float) -> None:
        """Time passes, and the watch looks."""
        self.now_s += seconds
        self.watch.judge(self.now_s)

    def report(self, rail: str):
        return self.watch.reports(self.now_s)[RAILS.index(rail)]

    def state(self, rail: str) -> str:
        self.watch.judge(self.now_s)
        return self.report(rail).standing.state.value


@pytest.fixture
def rails() -> Callable[..., Rails]:
    """`rails(lag_s=60, ...)`: a fresh watch with these limits."""
    return Rails
