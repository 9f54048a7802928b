"""The worker's own clock against the records': whether it is behind, and by how much.

A record cannot have been written after now. So a run whose last record's Kafka timestamp is ahead of this machine's clock says that the clock is
behind, or that whoever stamped the record is ahead; one run alone says nothing. Each partition is believed by the median of its last runs, and all
partitions by the median of these, the lower of two. One that is ours and has not told enough to be believed counts as saying that the clock is right: so where half
of the partitions are right or silent, the others can say what they like.

What it can tell: that this machine's clock is behind by at least so much. What it cannot: a clock that is ahead looks like lag, a lag hides as much of a clock that is
behind, and producers that are all ahead by the same look like a clock that is behind. Neither can it tell who is right where this worker has one
partition only: then whoever writes most of its runs is believed, for `MOST_MS` at most. A clock that is set right is believed at once: the records' times are held
against the monotonic clock, which nobody sets.
"""

from collections import deque
from collections.abc import Iterable
from statistics import median_low

WINDOW = 64
"""Runs of a partition that are remembered."""

AT_LEAST = 8
"""Runs before a partition is believed."""

STALE_MS = 900_000
"""A run of longer ago, by the monotonic clock, says nothing: what lagged behind a backlog would hide a clock that is behind for hours where runs are few."""

BEHIND_MS, RIGHT_MS = 2_000, 1_000
"""Above the first the clock counts as behind, from then on until it is no more than the second: what lies between is no news each second."""

MOST_MS = 86_400_000
"""Nobody is believed for more than a day."""


class ClockWatch:
    """What the last runs of each partition say of this machine's clock. Pure: times are passed in."""

    def __init__(self) -> None:
        # of each partition that is ours and each run: when it was told, by the monotonic clock; when it was written, less that
        self._written: dict[int, deque[tuple[int, int]]] = {}
        self._medians: dict[int, int] = {}
        self._behind = False

    def rebalanced(self, partitions: Iterable[int]) -> None:
        """These are our partitions now: each has a say, and no other."""
        self._written = {each: self._written.get(each, deque(maxlen=WINDOW)) for each in partitions}
        self._medians = {each: median for each, median in self._medians.items() if each in self._written}

    def note(self, partition: int, written_ms: int, now_ms: int, monotonic_s: float) -> int:
        """A run's last record was written at `written_ms` by its Kafka timestamp (0 and below: it has none). The time by which to decide the run:
        `now_ms`, corrected by as much as the clock is behind.
        """
        since_ms = round(monotonic_s * 1000)
        if written_ms > 0:
            runs = self._written.setdefault(partition, deque(maxlen=WINDOW))
            runs.append((since_ms, written_ms - since_ms))
            self._believe(partition)
        return now_ms + self.correction_ms(now_ms, monotonic_s)

    def forget(self, partition: int) -> None:
        """It is no longer ours: nothing new will be heard of it."""
        self._written.pop(partition, None)
        self._medians.pop(partition, None)

    def skew_ms(self, now_ms: int, monotonic_s: float) -> int:
        """How far the clock is behind at least, ms; negative: how far runs lag at most; 0: nothing is known."""
        since_ms = round(monotonic_s * 1000)
        self._forget_stale(since_ms)
        if not self._medians:
            return 0
        right_ms = now_ms - since_ms
        return median_low(self._medians.get(each, right_ms) for each in self._written) - right_ms

    def correction_ms(self, now_ms: int, monotonic_s: float) -> int:
        """What to add to the clock, 0 to `MOST_MS`: 0 unless it is behind."""
        skew = self.skew_ms(now_ms, monotonic_s)
        self._behind = skew > (RIGHT_MS if self._behind else BEHIND_MS)
        return min(skew, MOST_MS) if self._behind else 0

    def _forget_stale(self, since_ms: int) -> None:
        for partition, runs in self._written.items():
            if runs and runs[0][0] < since_ms - STALE_MS:
                while runs and runs[0][0] < since_ms - STALE_MS:
                    runs.popleft()
                self._believe(partition)

    def _believe(self, partition: int) -> None:
        """By what its runs say now; not at all where they are too few."""
        runs = self._written[partition]
        if len(runs) >= AT_LEAST:
            self._medians[partition] = median_low(written for _, written in runs)
        else:
            self._medians.pop(partition, None)
