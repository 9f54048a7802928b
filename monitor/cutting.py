"""How records that wait are cut into runs: within bounds, and ever smaller where a record is suspected of ending the worker.

A worker that dies of a record dies at the same position again after each restart. From the second attempt there on, runs are small:
then the record is within so many. From the fourth on they are of one record each, named in the log before it is decided, so that
also a crash without a last word leaves its name.
"""

import logging
from collections.abc import Iterator

import numpy as np

from monitor.wire.records import Records

log = logging.getLogger(__name__)

SMALL_AFTER, ALONE_AFTER = 1, 3
"""Attempts at one position after which runs are small, and of one record."""

SMALL_RUN = 1_024
"""Most records of a small run."""

MAX_RUN_BYTES = 64 << 20
"""Most bytes of records in one run, unless one record alone has more: a producer's queue ends at 1 GiB, and a fetch is bounded as it
was compressed, so that a few megabytes of the log may hold gigabytes to dead-letter. Also what may wait for a partition."""


class Cutting:
    """Of one partition. `max_run_records`: most records of any run."""

    def __init__(self, partition: int, max_run_records: int) -> None:
        self._partition, self._most = partition, max_run_records
        self._small_through = self._alone_through = -1

    def beware(self, attempts: int, next_offset: int) -> None:
        """Deciding began `attempts` times at `next_offset`, this time included."""
        if attempts > SMALL_AFTER:
            self._small_through = next_offset + self._most
        if attempts > ALONE_AFTER:
            self._alone_through = next_offset + min(SMALL_RUN, self._most)

    def cut(self, records: Records) -> Iterator[Records]:
        """The records as runs, in order."""
        rest = records.after(self._alone_through)
        for row in range(len(records) - len(rest)):
            offset = int(records.offsets[row])
            log.warning(
                "a record alone, after %d attempts at one position; if this worker ends now: %s",
                ALONE_AFTER,
                quarantine_command(self._partition, offset),
                extra={"partition": self._partition, "offset": offset},
            )
            yield records[row : row + 1]
        large = rest.after(self._small_through)
        yield from within(rest[: len(rest) - len(large)], min(SMALL_RUN, self._most))
        yield from within(large, self._most)


def quarantine_command(partition: int, offset: int) -> str:
    """What an operator types to dead-letter one record unread."""
    return f"monitor quarantine --partition {partition} --offset {offset}"


def within(records: Records, most: int) -> Iterator[Records]:
    """The records, cut where a run would have more than `most`, and in front of each that would bring it beyond `MAX_RUN_BYTES`."""
    ends, start = np.cumsum(records.sizes), 0
    while start < len(records):
        before = int(ends[start - 1]) if start else 0
        stop = int(np.searchsorted(ends, before + MAX_RUN_BYTES, "right"))
        stop = min(max(stop, start + 1), start + most)
        yield records[start:stop]
        start = stop
