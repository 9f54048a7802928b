"""One simulated worker: the production classes, wired as `monitor.app` wires them, driven as Faust drives them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from aiokafka.errors import IllegalStateError
from faust.types import TP

from monitor.errors import CommitError, FencedError
from monitor.host import Partitions
from monitor.partition import Surroundings
from monitor.takeover import Takeover
from monitor.wire.start import Start
from tests.simulation import faults
from tests.simulation.clients import SimLog, SimWriter
from tests.simulation.consumer import SimConsumer
from tests.simulation.group import SESSION_S, Member, session_ends
from tests.simulation.streams import END_MS, deciding, settings
from tests.simulation.world import Killed, Process, SimLoop

if TYPE_CHECKING:
    from tests.simulation.history import Installation


@dataclass(frozen=True)
class Parts:
    """What a worker is made of; a mutant has another of one."""

    takeover: type[Takeover] = Takeover
    writer: type[SimWriter] = SimWriter
    log: type[SimLog] = SimLog
    consumer: type[SimConsumer] = SimConsumer


class Silent:
    """Metrics, health and the store of a worker that nobody looks at: every method does nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        setattr(Silent, name, staticmethod(_nothing))  # found without this from now on
        return _nothing


def _nothing(*_args: Any, **_values: Any) -> None:
    pass


class Event:
    """A chunk on its way to its partition, as a Faust event."""

    def __init__(self, consumer: SimConsumer, tp: TP, folded: Any) -> None:
        self.value = folded.value
        self.message = SimpleNamespace(partition=tp.partition, generation_id=consumer.generation)
        self._consumer, self._tp, self._offset = consumer, tp, folded.offset
        self.acked: Callable[[], None] = _nothing

    def ack(self) -> bool:
        """Done with."""
        self.acked()
        return self._consumer.ack(self._tp, self._offset)


class Worker:
    """A process; it is started once, and never again after its death."""

    def __init__(self, installation: "Installation", number: int) -> None:
        self.number, self._in = number, installation
        world = self._world = installation.world
        self.process = Process(f"worker {number}")
        self.loop = SimLoop(world, self.process)
        self._has_failed_commit = False
        self.member = Member(self.process, self._told)
        self._must_rejoin = asyncio.Event()
        self._commit_is_due = False
        self._given = -1  # the generation whose partitions are held
        self._delivered_at = 0.0
        self.host = Partitions(settings(), self._around(), Silent)
        self.consumer = installation.parts.consumer(
            self.host, installation.broker, world.random, installation.group.offsets.get, installation.cuts
        )
        installation.broker.listeners.append(self._news)
        self._start(self._belong)
        self._start(self._fetch)

    def _around(self) -> Surroundings:
        world, parts, installed = self._world, self._in.parts, settings()
        context = deciding()

        async def decided_with(_records: Any) -> Any:
            return context

        now_ms = END_MS + self.number % 2 * 1000  # clocks of two machines are not the same
        clock = SimpleNamespace(now_ms=lambda: now_ms, monotonic_s=lambda: world.now)
        takeover = parts.takeover(
            log=parts.log(world, self._in.broker, self.process, self._in.group.offsets.get),
            app_id=installed.app_id,
            topic=installed.topic_transactions,
            audit_topic=installed.topic_audit,
            changelog_topic=installed.changelog_topic,
            audit_schema_id=context.audit_schema_id,
            start=Start("earliest"),
            warmup_s=0,
            writer=lambda name: parts.writer(world, self._in.broker, self.process, name, self.reach, self._next_commit),
            versions=context.versions,
            clock=clock,
            attempts=self._in.count_takeover,
            reach=self.reach,
        )
        return Surroundings(
            takeover=takeover,
            context=decided_with,
            executor=None,  # type: ignore[arg-type]  # the loop calls by itself
            clock=clock,
            metrics=Silent(),  # type: ignore[arg-type]
            health=Silent(),  # type: ignore[arg-type]
            fatal=self._fatal,
            max_run_records=world.random.choice((30, 1_000, 1_000)),
            max_queue_records=world.random.choice((50, 1_000)),
            reach=self.reach,
        )

    # ── how it ends, and how it hangs ────────────────────────────────────────────────────────────────────────────────────

    def kill(self) -> None:
        """Nothing of it happens any more; the group hears of it when the session ends."""
        if not self.process.dead:
            self.process.dead = True
            self._in.broker.listeners.remove(self._news)
            session_ends(self._world, self._in.group, self.member)
            self._in.replace(self)

    def freeze(self, seconds: float) -> None:
        """SIGSTOP, and SIGCONT so many seconds later."""
        self.process.frozen_until = max(self.process.frozen_until, self._world.now + seconds)
        if seconds >= SESSION_S:
            self.process.was_out = True
            session_ends(self._world, self._in.group, self.member)

    def stop(self) -> None:
        """What SIGTERM does: let the runs in flight end, leave the group, exit."""
        self._start(self._stop)

    async def _stop(self) -> None:
        self.consumer.app.should_stop = True
        await self.host.stop()
        self._in.group.leave(self.member)
        self.kill()

    def reach(self, point: str) -> None:
        """A point of the protocol: what is planned for it happens here."""
        if self.process.dead:
            raise Killed
        self._in.reached(self, point)
        if self.process.dead:
            raise Killed

    def _fatal(self, error: BaseException) -> None:
        if self.process.dead or self._world.over or isinstance(error, GeneratorExit):
            return  # its coroutines are closed, and say so
        self._in.note_exit(self, error)
        self.kill()
        raise Killed

    def is_excused(self, error: BaseException) -> bool:
        """Whether something was done to this worker that explains its exit."""
        if isinstance(error, FencedError):
            # A worker that hung within a takeover fences the rightful owner when it wakes up: with its first fence, or with the one by which it
            # settles that what it has read contradicts itself (`Takeover._check_still_ours`). Who did not hang itself must have met such a one.
            return self.process.may_be_late or any(other.may_be_late for other in self.process.fenced_by)
        return isinstance(error, CommitError) and self._has_failed_commit

    def _next_commit(self) -> str:
        fault = self._in.next_commit()
        self._has_failed_commit |= bool(fault)
        return fault

    # ── what Faust does ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _start(self, make: Callable[[], Any]) -> None:
        async def watched() -> None:
            try:
                await make()
            except Exception as error:
                self._in.problems.append(f"{self.process.name}: {type(error).__name__}: {error}")

        self._world.after(self._world.random.random() * 0.01, self.process, self.loop.start, watched)

    def _told(self) -> None:
        self.loop.call_soon(self._must_rejoin.set)

    def _news(self) -> None:
        if not self.consumer.news.is_set():
            self.loop.call_soon(self.consumer.news.set)

    async def _belong(self) -> None:
        """Be a member of the group: given partitions, take them over; told to, give them up and join again."""
        group, consumer, source, changelog = (
            self._in.group,
            self.consumer,
            self.host.source_topic,
            self.host.changelog_topic,
        )
        recovery: asyncio.Task[None] | None = None
        while True:
            self._must_rejoin.clear()
            joined: asyncio.Future[tuple[int, list[int]]] = self.loop.create_future()
            if self.member not in group.members:
                self.member = Member(self.process, self._told)
            group.join(self.member, lambda *given, joined=joined: joined.done() or joined.set_result(given))
            while not joined.done():
                await asyncio.wait(
                    [joined, told := asyncio.ensure_future(self._must_rejoin.wait())], return_when="FIRST_COMPLETED"
                )
                told.cancel()
                if self._must_rejoin.is_set():  # given up while it waited
                    break
            if not joined.done():
                continue
            generation, numbers = joined.result()
            tps = {TP(topic, number) for topic in (source, changelog) for number in numbers}
            consumer.generation = self._given = generation
            await consumer.on_partitions_assigned(tps, generation)
            if recovery is not None:
                recovery.cancel()
            recovery = asyncio.create_task(self._recover(tps, generation))
            await self._must_rejoin.wait()
            if self._world.random.random() < 0.5:
                recovery.cancel()  # or when the next one begins
            self._given = -1
            consumer.revoke(tps)
            await consumer.on_partitions_revoked(tps)

    async def _recover(self, tps: set[TP], generation: int) -> None:
        """Faust's recovery. What it then resumes it may read from before it seeks."""
        consumer, random = self.consumer, self._world.random
        source = {tp for tp in tps if tp.topic == self.host.source_topic}
        early = random.random()
        try:
            if early < 0.1 and self._given == generation:
                consumer.active |= source
                self._in.tally.kinds[faults.EARLY] += 1
            await consumer.highwaters(*sorted(tps - source))
            if self._given != generation:
                return
            if early < 0.3:
                consumer.active |= source
                self._in.tally.kinds[faults.EARLY] += 1
                self._news()
                await asyncio.sleep(random.random() * 0.1)
            await consumer.seek_to_committed()
            if self._given != generation:
                return
            consumer.active |= source
            self._news()
            self._acked()  # or not: the group's offset follows all the same
            while random.random() < 0.2:
                await asyncio.sleep(random.random())
                if self._given != generation:
                    return
                self._in.tally.kinds[faults.AGAIN] += 1
                await consumer.seek_to_committed()
                self._news()
        except IllegalStateError:
            return

    async def _fetch(self) -> None:
        consumer = self.consumer
        while True:
            if not consumer.active:
                await consumer.news.wait()
                consumer.news.clear()
                continue
            has_room = all(self.host.has_room(tp.partition) for tp in consumer.active)
            fetched = await consumer._getmany(set(consumer.active), 0.25)
            if has_room and not any(fetched.values()):
                await consumer.news.wait()
            for tp, folded in fetched.items():
                for record in folded:
                    self._deliver(Event(consumer, tp, record))

    def _deliver(self, event: Event) -> None:
        """Through the stream to the agent: a moment later, in order, now and then after a rebalance."""
        random = self._world.random
        event.acked = self._acked
        delay = random.random() * (1.0 if random.random() < 0.05 else 0.01)
        self._delivered_at = max(self._delivered_at, self._world.now + delay)
        self.loop.call_at(self._delivered_at, self._put, event)

    def _put(self, event: Event) -> None:
        if event.message.generation_id != self.consumer.generation:
            self._in.tally.kinds[faults.STALE] += 1
        self.host.put(event)

    def _acked(self) -> None:
        if not self._commit_is_due:
            self._commit_is_due = True
            self.loop.call_later(self._world.random.random() * 0.6, self._commit)

    def _commit(self) -> None:
        self._commit_is_due = False
        for partition, offset in self.consumer.to_commit().items():
            if self._in.group.commit(self.member, partition, offset):
                self._in.check_group_offset(partition, offset)
            else:
                self._acked()  # Faust asks again and again
