"""The protocol with one rule broken, each time another: what the simulation must find. Each is a part of a worker that differs in one thing."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from monitor import host, pipeline
from monitor.effects.message import Message
from monitor.errors import CommitError
from monitor.partition import Partition
from monitor.state import accounts
from monitor.takeover import Taken, Takeover
from monitor.wire.log import Tail
from monitor.wire.records import Run
from tests.simulation.clients import SimLog, SimWriter, _tail
from tests.simulation.history import PRODUCTION
from tests.simulation.streams import settings
from tests.simulation.worker import Parts


@dataclass(frozen=True)
class Mutant:
    """What is broken, and where: `parts` of the worker, or a production class `in_place` of which another stands meanwhile."""

    name: str
    parts: Parts = PRODUCTION
    in_place: tuple[Any, str, Any] | None = None

    def standing(self) -> AbstractContextManager[Any]:
        """While this is entered, the mutant lives."""
        return nullcontext() if self.in_place is None else patch.object(*self.in_place)


class NobodyFenced(SimWriter):
    """A transactional id of its own for each takeover: the former owner's producer stays valid, and what it has open may still commit."""

    takeovers = 0

    def fence(self) -> None:
        NobodyFenced.takeovers += 1
        self._name = f"{self._name}-{NobodyFenced.takeovers}"
        super().fence()


class _Remembered:
    """A log whose tails were read a while ago."""

    def __init__(self, log: Any, tails: Mapping[tuple[str, int], Tail | None]) -> None:
        self._log, self._tails = log, tails

    def tail(self, topic: str, partition: int) -> Tail | None:
        return self._tails[topic, partition]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)


class TailsFirst(Takeover):
    """The tails are read, and then the former owner is fenced."""

    def take(self, partition: int) -> Taken:
        tails = {
            (topic, partition): self.log.tail(topic, partition) for topic in (self.audit_topic, self.changelog_topic)
        }
        fields = {name: getattr(self, name) for name in Takeover.__slots__}
        return Takeover(**{**fields, "log": _Remembered(self.log, tails)}).take(partition)


class _ChangelogApart(SimWriter):
    """Writes the changelog outside of the transaction."""

    def _apart(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self._world.pause(self._process, 0.001 * self._world.random.random())
            log = self._broker.log(message.topic, message.partition or 0)
            log.append(message.key, message.value, message.headers, int(self._world.now * 1000))

    @staticmethod
    def _split(messages: Iterable[Message]) -> tuple[list[Message], list[Message]]:
        all_of_it = list(messages)
        return (
            [each for each in all_of_it if each.topic == settings().changelog_topic],
            [each for each in all_of_it if each.topic != settings().changelog_topic],
        )


class ChangelogBefore(_ChangelogApart):
    """First the changelog, then everything else in a transaction."""

    def commit(self, messages: Iterable[Message]) -> None:
        changelog, others = self._split(messages)
        self._apart(changelog)
        super().commit(others)


class ChangelogAfter(_ChangelogApart):
    """First everything else in a transaction, then the changelog."""

    def commit(self, messages: Iterable[Message]) -> None:
        changelog, others = self._split(messages)
        super().commit(others)
        self._apart(changelog)


class GroupsOffset(Takeover):
    """Decisions go on at the group's offset instead of the audit log's."""

    def take(self, partition: int) -> Taken:
        taken = super().take(partition)
        offset = self.log.group_offset(self.app_id, self.topic, partition)
        if offset is None:
            return taken
        return replace(taken, position=replace(taken.position, last_offset=offset - 1))


class EmitsOnReplay(Partition):
    """What was decided before is not decided again, but its alerts and dead letters are sent once more."""

    async def _decide_next(self) -> None:
        chunk = self._queue._events[0].value
        known = chunk.records[chunk.records.offsets <= self.position.last_offset]
        if len(known):
            around = self._around
            before = replace(self.position, last_offset=known.first_offset - 1)
            decided = pipeline.decide_run(
                Run(before.topic, self.number, before.last_offset, known), accounts.Accounts(), before,
                await around.context(known), around.clock.now_ms(),
            )  # fmt: skip
            again = [each for each in decided.messages if each.topic in (settings().topic_alerts, settings().topic_dlq)]
            if again:
                await self._in_thread(self._writer.commit, again)
        await super()._decide_next()


class KeepsStateAfterFailure(Partition):
    """A commit that failed is made good by a new producer, with the accounts as they are in memory."""

    async def _decide_run(self, records: Any) -> None:
        try:
            await super()._decide_run(records)
        except CommitError:
            taken = await self._in_thread(self._around.takeover.take, self.number)
            self.position, self._writer = taken.position, taken.writer
            left = records.after(self.position.last_offset)
            if len(left):
                await super()._decide_run(left)


class AcksTheNewestFirst(Partition):
    """A chunk is acked when another comes in behind it; that one is acked at once."""

    def put(self, event: Any) -> None:
        super().put(event)
        if len(self._queue) > 1:
            event.ack()


class ForgetsTheWatermark(Takeover):
    """The watermark by which accounts are forgotten begins anew at each takeover."""

    def take(self, partition: int) -> Taken:
        taken = super().take(partition)
        return replace(taken, position=replace(taken.position, watermark_ms=0))


class StopsAtMarkers(SimLog):
    """Looks for the last record among the last offsets only: behind the last marker there is none."""

    def tail(self, topic: str, partition: int) -> Tail | None:
        self._wait()
        log = self._broker.log(topic, partition)
        end = log.stable_end
        found = log.tail()
        if found is None or any(entry.is_marker and found.offset < entry.offset < end - 1 for entry in log.entries):
            return None
        return _tail(found)


MUTANTS = (
    Mutant("no fence", Parts(writer=NobodyFenced)),
    Mutant("fence after the tails are read", Parts(takeover=TailsFirst)),
    Mutant("changelog before the transaction", Parts(writer=ChangelogBefore)),
    Mutant("changelog after the transaction", Parts(writer=ChangelogAfter)),
    Mutant("start at the group's offset", Parts(takeover=GroupsOffset)),
    Mutant("emit on replay", in_place=(host, "Partition", EmitsOnReplay)),
    Mutant("state in memory kept after a failed commit", in_place=(host, "Partition", KeepsStateAfterFailure)),
    Mutant("ack out of order", in_place=(host, "Partition", AcksTheNewestFirst)),
    Mutant("tombstones whose watermark is forgotten", Parts(takeover=ForgetsTheWatermark)),
    Mutant("tail read that stops at a marker", Parts(log=StopsAtMarkers)),
)
