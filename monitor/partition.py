"""One partition while it is ours: taken over, recovered, decided run by run, given up.

The order is the protocol: fence; find the tails of audit and changelog; load exactly that state; read from the first
offset that is not audited; decide a run; commit all it leaves behind in one transaction; only then ack. Whatever goes wrong
between a decision and the acknowledgement of its commit ends the process: the state in memory is not to be used again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Any

from monitor import pipeline
from monitor.chunk_queue import ChunkQueue, Event
from monitor.clock import Clock
from monitor.context import Context
from monitor.cutting import MAX_RUN_BYTES, Cutting, quarantine_command
from monitor.effects.audit import Position
from monitor.errors import FencedError, GapError
from monitor.failpoints import Reach, pass_by
from monitor.observe.clock_watch import ClockWatch
from monitor.observe.drift import DriftWatch
from monitor.observe.health import Health
from monitor.observe.metrics import Metrics
from monitor.rails.watch import RailWatch
from monitor.reporting import rule_figures, run_figures
from monitor.shedding import Shedding
from monitor.sideline import Sideline, Watched
from monitor.stages import Stage, Stopwatch
from monitor.state.accounts import Accounts
from monitor.takeover import Takeover
from monitor.wire.columns import CHANNEL
from monitor.wire.records import Records, Run

log = logging.getLogger(__name__)

STOP_S = 10.0
"""How long a revocation waits for the run in flight. Longer, and the group waits for us; the next owner's fence settles it."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a partition uses of the worker it lives in. `context` returns what a run of these records is decided with, the
    schemas they name included; `fatal` ends the process; `partitions` is how many the source topic has.
    """

    takeover: Takeover
    context: Callable[[Records], Awaitable[Context]]
    executor: Executor
    clock: Clock
    metrics: Metrics
    health: Health
    fatal: Callable[[BaseException], None]
    max_run_records: int
    max_queue_records: int
    recovery_timeout_s: float = 600.0
    reach: Reach = pass_by
    partitions: int = 1
    drift: DriftWatch = field(default_factory=DriftWatch)
    sideline: Sideline = field(default_factory=Sideline)
    rails: RailWatch = field(default_factory=RailWatch)
    clock_watch: ClockWatch = field(default_factory=ClockWatch)
    shedding: Shedding = field(default_factory=Shedding)


class Partition:
    """The life of one partition in one generation of the group; all methods are called in the event loop."""

    def __init__(self, number: int, around: Surroundings) -> None:
        self.number = number
        self.accounts = Accounts()
        self.changelog_end = -1
        self.position: Position
        self._around = around
        self._queue = ChunkQueue(around.max_queue_records, MAX_RUN_BYTES)
        self._stopping = False
        self._cutting = Cutting(number, around.max_run_records)
        self._task: asyncio.Task[None] | None = None
        self._recovered = False

    @property
    def next_offset(self) -> int:
        """The first offset that is not decided."""
        return self.position.last_offset + 1

    @property
    def room(self) -> asyncio.Event:
        """Set while more may be fetched: at most `max_queue_records` and `MAX_RUN_BYTES` wait, and one fetch."""
        return self._queue.room

    @property
    def is_settled(self) -> bool:
        """Whether the accounts are what the position says: loaded, and no run in flight that has changed them."""
        return self._recovered and (self._task is None or self._task.done())

    @property
    def is_deciding(self) -> bool:
        """Whether the position is known and moves."""
        return self._task is not None and not self._stopping

    async def take(self, kept: "Partition | None") -> None:
        """Fence, find the tails, and keep the state of `kept` (the same partition, before) if nothing was committed since."""
        taken = await self._in_thread(self._around.takeover.take, self.number)
        self.position, self.changelog_end, self._writer = taken.position, taken.changelog_end, taken.writer
        if kept is not None and kept.is_settled and kept.position.block_hash == self.position.block_hash:
            self.accounts, self._recovered = kept.accounts, True

    async def recover(self) -> int:
        """Load the state up to the tail that was found; the offset of the changelog's last record, -1 if it is empty."""
        if not self._recovered:
            began = self._around.clock.monotonic_s()
            self.accounts = await self._in_thread(
                self._around.takeover.load, self.number, self.changelog_end, lambda: not self._stopping
            )
            if self._stopping:  # a load that is not wanted any more ends where it is, and is nothing to show
                return self.changelog_end
            self._recovered = True
            self._around.metrics.record_recovery(
                self.number, self._around.clock.monotonic_s() - began, len(self.accounts)
            )
        return self.changelog_end

    def start(self) -> None:
        """Begin to decide what is put."""
        if self._task is None:
            self._task = asyncio.create_task(self._decide_all(), name=f"partition {self.number}")

    def put(self, event: Event) -> None:
        """Queue a chunk. What is put after `stop` is dropped: it will be read again."""
        if self._stopping:
            return
        self._queue.put(event)
        self._around.metrics.set_partition(self.number, queue=self._queue.records)

    async def stop(self, patience_s: float = STOP_S) -> None:
        """Let the run in flight commit, for `patience_s` at most, and drop what waits."""
        self._stopping = True
        self._queue.clear()
        self._queue.filled.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=patience_s)
        self._around.reach("revoked")

    async def _decide_all(self) -> None:
        try:
            await self._queue.filled.wait()
            if not self._stopping:
                await self._count_attempt()
            while not self._stopping:
                await self._queue.filled.wait()
                self._queue.filled.clear()
                while self._queue and not self._stopping:
                    await self._decide_next()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._recovered = False  # what the accounts hold now may or may not be committed
            self._around.fatal(error)

    async def _count_attempt(self) -> None:
        """How often deciding began at this position; counted once there is something to decide, and again at the next takeover."""
        attempts = await self._in_thread(self._around.takeover.attempts, self.number, self.next_offset)
        self._cutting.beware(attempts, self.next_offset)

    async def _decide_next(self) -> None:
        events = self._queue.take(self._around.max_run_records)
        self._around.metrics.set_partition(self.number, queue=self._queue.records)
        fresh: list[Records] = []
        replayed, last = 0, self.position.last_offset
        for event in events:
            records, follows = event.value.records, event.value.follows
            new = records.after(last)
            known = len(records) - len(new)
            if len(new):
                before = int(records.offsets[known - 1]) if known else follows
                await self._check_gap(last, new.first_offset, before)
                fresh.append(new)
                last = new.last_offset
            replayed += known
        if replayed:
            self._around.metrics.record_replayed(replayed)
        for run in self._cutting.cut(Records.join(fresh)) if fresh else ():
            if self._stopping:
                return  # nothing of it is acked: what is not committed will be read again
            await self._decide_run(run)
        for event in events:
            event.ack()
        self._around.reach("run_acked")

    async def _check_gap(self, last: int, first: int, follows: int | None) -> None:
        """A chunk that starts beyond the offset after `last` has lost something, unless the log itself holds nothing in between.

        Honest gaps are transaction markers, aborted records and compaction. Cheap proof: the fetch went on from `last`, and the
        log still holds the next offset. Else a fresh read from there must start at the very same record. To a worker whose
        partition went to another long ago, what retention took since looks like a loss, and is none.
        """
        if first == last + 1:
            return
        takeover = self._around.takeover
        low = await self._in_thread(takeover.begins_at, self.number)
        honest = low <= last + 1
        if honest and follows != last:
            honest = await self._in_thread(takeover.first_from, self.number, last + 1) == first
        if not honest and not await self._in_thread(takeover.is_last, self.position):
            raise FencedError(
                f"{self.position.topic}[{self.number}]: others have decided beyond offset {last}: another worker owns this partition now; this one leaves"
            )
        self._around.metrics.record_gap_check(honest=honest)
        if not honest:
            raise GapError(
                f"{self.position.topic}[{self.number}]: a chunk starts at offset {first}, expected {last + 1}; the log begins at {low}. "
                "If retention took the records, they are lost: raise retention.ms, then see docs/exit-codes.md; else restart"
            )

    async def _decide_run(self, records: Records) -> None:
        around = self._around
        around.health.note_run(self.number)
        context = await around.context(records)
        watch = Stopwatch()
        now_ms, late = self._when(records)
        if late:
            context = replace(context, explaining=False)
        run = Run(self.position.topic, self.number, self.position.last_offset, records)
        try:
            decided = pipeline.decide_run(run, self.accounts, self.position, context, now_ms, watch.lap)
        except Exception as error:
            error.add_note(
                f"deciding {run.topic}[{run.partition}], offsets {records.first_offset} to {run.last_offset}; if restarts end here too: "
                + quarantine_command(self.number, records.first_offset)
            )
            raise
        around.reach("run_decided")
        await self._in_thread(self._writer.commit, decided.messages)
        watch.lap(Stage.COMMIT)
        around.reach("run_committed")
        self.position = decided.position
        self._tell(Watched(run, self.position.topic_id, decided, context), watch, now_ms)
        around.rails.record(run, decided.columns, decided.reasons, around.clock.monotonic_s())

    def _when(self, records: Records) -> tuple[int, bool]:
        """The time by which to decide these records, and whether they come too late to explain anything."""
        around, written = self._around, records.timestamps
        monotonic_s = around.clock.monotonic_s()
        now_ms = around.clock_watch.note(self.number, int(written[-1]), around.clock.now_ms(), monotonic_s)
        return now_ms, around.shedding.sheds(written, now_ms, monotonic_s)

    def _tell(self, watched: Watched, watch: Stopwatch, now_ms: int) -> None:
        """A run was committed: the pages hear of it, and who looks on."""
        around, decided, context = self._around, watched.decided, watched.context
        around.sideline.offer(watched)
        around.health.note_commit(self.number)
        around.drift.record(
            context.versions.get("model", ""),
            decided.features,
            decided.scores,
            decided.columns.longs[CHANNEL],
            watched.run.records.offsets,
        )
        if context.rules is not None:
            around.metrics.record_rules(rule_figures(context.rules.ruleset, decided.settled.ruled.hits))
        around.metrics.record_run(
            run_figures(
                watched, self.position, watch, now_ms, accounts=len(self.accounts), partitions=around.partitions
            )
        )

    async def _in_thread(self, call: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._around.executor, call, *args)
