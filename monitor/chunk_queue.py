"""What waits for one partition: chunks in order, bounded in records and bytes, taken as one run."""

import asyncio
from collections import deque
from typing import Protocol

from monitor.wire.transport import Chunk


class Event(Protocol):
    """A Faust event that carries a chunk."""

    value: Chunk

    def ack(self) -> bool: ...


class ChunkQueue:
    """Chunks of one partition. `room` is set while fewer than `max_records` records and `max_bytes` bytes wait; `filled` once one waits.

    Neither bound is hard: what was fetched before `room` went is taken in all the same.
    """

    def __init__(self, max_records: int, max_bytes: int) -> None:
        self.room, self.filled = asyncio.Event(), asyncio.Event()
        self.room.set()
        self.records = 0
        self._bytes = 0
        self._events: deque[Event] = deque()
        self._max_records, self._max_bytes = max_records, max_bytes

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: Event) -> None:
        """Behind the others."""
        self._events.append(event)
        self._count(event, 1)
        self.filled.set()

    def take(self, max_records: int) -> list[Event]:
        """All that waits, as far as `max_records` go: whole chunks, in order, at least one. Raises IndexError when none waits."""
        events = [self._pop()]
        count = len(events[0].value.records)
        while self._events and count + len(self._events[0].value.records) <= max_records:
            events.append(self._pop())
            count += len(events[-1].value.records)
        return events

    def clear(self) -> None:
        """Drop everything."""
        while self._events:
            self._pop()

    def _pop(self) -> Event:
        event = self._events.popleft()
        self._count(event, -1)
        return event

    def _count(self, event: Event, sign: int) -> None:
        self.records += sign * len(event.value.records)
        self._bytes += sign * event.value.records.bytes
        if self.records < self._max_records and self._bytes < self._max_bytes:
            self.room.set()
        else:
            self.room.clear()
