"""The sideline: what may look at a run after it was committed, in a thread of its own, and acts on nothing.

Best effort throughout. What does not fit into the queue, or is not taken by the producer, is dropped and counted; what goes wrong is counted and
said once; nothing of it reaches the way of a transaction. A run is offered only after it was committed, so it is looked at once at most.
"""

import logging
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from queue import Empty, Full, Queue
from typing import NamedTuple, Protocol

from monitor.context import Context
from monitor.pipeline import Decided
from monitor.wire.records import Run

log = logging.getLogger(__name__)

MOST_WAITING = 32
"""Runs; each keeps its columns in memory."""

IDLE_S = 0.2
"""Between two looks at whether to stop."""

LAST_S = 2.0
"""What a stop waits for it, at most."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A run that was decided and committed."""

    run: Run
    topic_id: str
    decided: Decided
    context: Context


class Aside(NamedTuple):
    """What is written about a run."""

    topic: str
    key: bytes
    value: bytes


class Watcher(Protocol):
    """Somebody on the sideline. `name` is what metrics call it; `looks` is whether it would look at a run now."""

    name: str

    @property
    def looks(self) -> bool: ...

    def see(self, watched: Watched) -> Aside | None:
        """What to write about a run; None for nothing."""
        ...


class Writer(Protocol):
    """Where it is written."""

    def write(self, record: Aside) -> None:
        """Hand it over; raises when it cannot."""
        ...

    def flush(self) -> None:
        """Nothing will follow: wait a moment for what was handed over."""
        ...


class Told(Protocol):
    """What hears how it goes."""

    def watched(self, name: str, result: str, records: int, seconds: float) -> None:
        """`name` of the watcher; `result`: recorded, dropped or failed; CPU `seconds`."""
        ...


class Sideline:
    """While no watcher looks it does nothing, and starts no thread."""

    def __init__(
        self,
        watchers: Iterable[Watcher] = (),
        writer: Writer | None = None,
        told: Told | None = None,
    ) -> None:
        self._watchers, self._writer, self._told = tuple(watchers), writer, told
        self._queue: Queue[Watched] = Queue(MOST_WAITING)
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._said: dict[str, str] = {}

    def offer(self, watched: Watched) -> None:
        """A committed run; never waits, never raises."""
        looking = [each for each in self._watchers if each.looks]
        if not looking:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="sideline", daemon=True)
            self._thread.start()
        try:
            self._queue.put_nowait(watched)
        except Full:
            for each in looking:
                self._tell(each.name, "dropped", watched, 0.0)

    def stop(self) -> None:
        """Drop what waits, and give what was written a moment to leave."""
        self._stopping = True
        if self._thread is not None:
            self._thread.join(timeout=LAST_S)

    def _work(self) -> None:
        while not self._stopping:
            try:
                watched = self._queue.get(timeout=IDLE_S)
            except Empty:
                continue
            for each in self._watchers:
                if each.looks:
                    self._see(each, watched)
        if self._writer is not None:
            self._writer.flush()

    def _see(self, watcher: Watcher, watched: Watched) -> None:
        began = time.thread_time()
        try:
            aside = watcher.see(watched)
            if aside is not None and self._writer is not None:
                self._writer.write(aside)
        except Exception as error:  # a watcher's failure must reach nobody else
            self._tell(watcher.name, "failed", watched, time.thread_time() - began)
            if str(error) != self._said.get(watcher.name):
                self._said[watcher.name] = str(error)
                log.exception("a watcher failed", extra={"watcher": watcher.name})
        else:
            self._tell(watcher.name, "recorded", watched, time.thread_time() - began)

    def _tell(self, name: str, result: str, watched: Watched, seconds: float) -> None:
        if self._told is not None:
            self._told.watched(name, result, len(watched.run.records), seconds)
