"""A Faust transport that hands over chunks: what one fetch returned for one partition of the transactions topic.

Faust builds four futures a record, which caps it near 14,000 records a second whatever the agent does; one event a chunk takes
that away. Registered as `runs://` under the entry point group `faust.transports`. Differences from Faust's aiokafka transport,
each because of a trap that loses data or time:

- reads `read_committed`, which Faust does only under its own exactly_once;
- makes columns of a fetch, and no object a record (`monitor.wire.fetched`);
- fences and finds the tails of a partition before Faust looks at it (`Host.assigned`), and lets the run in flight end
  before giving it up (`Host.revoked`);
- recovery is the host's: `highwaters` of the changelog loads the state in bulk, after which Faust has nothing left to replay;
- reading starts at the offset after the last audited one, never at the group's committed offset;
- offsets of the transactions topic are acked strictly in order, so the next committed offset is the last acked + 1.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aiokafka.errors import CorruptRecordException, IllegalStateError
from faust.transport.drivers import aiokafka
from faust.types import TP

from monitor.errors import DamagedLogError
from monitor.wire.fetched import Columns, choose_columns
from monitor.wire.reading import Reading
from monitor.wire.records import Records


@dataclass(frozen=True, slots=True)
class Chunk:
    """Records of one fetch of one partition. `follows`: the client read on from this offset, so that the log
    shows nothing between it and the first record; None when that is not known, as around a seek.
    """

    records: Records
    follows: int | None


class Host(Protocol):
    """What the transport asks of the application about its partitions. All of it is called in the application's loop."""

    source_topic: str
    changelog_topic: str

    async def assigned(self, partitions: Sequence[int], generation: int) -> None:
        """These partitions are ours: fence whoever had them and find the tails. Heartbeats wait for this: be quick."""
        ...

    async def revoked(self, partitions: Sequence[int]) -> None:
        """These partitions are no longer ours: let the run in flight end, then forget them."""
        ...

    async def recover(self, partition: int) -> int | None:
        """Load the partition's state from its changelog; the offset of the changelog's last record, -1 if it is empty.

        None for a partition that was taken away meanwhile.
        """
        ...

    def next_offset(self, partition: int) -> int | None:
        """The first offset of the transactions topic that is not decided; None for a partition that was taken away."""
        ...

    def has_room(self, partition: int) -> bool:
        """Whether more may be fetched for the partition."""
        ...

    async def wait_for_room(self, timeout_s: float) -> None:
        """Until a partition has room again, or for so long."""
        ...

    def fetched(self) -> None:
        """A fetch returned, with or without records: the sign of life of the consumer."""
        ...

    def failed(self, error: Exception) -> Exception:
        """The consumer cannot go on: end the process with this error, and hand it back to be raised."""
        ...


class _FoldedRecord:
    """A chunk in the shape of a consumer record: what Faust turns into one message."""

    __slots__ = (
        "checksum",
        "headers",
        "key",
        "offset",
        "partition",
        "serialized_key_size",
        "serialized_value_size",
        "timestamp",
        "timestamp_type",
        "topic",
        "value",
    )

    def __init__(self, tp: TP, records: Records, follows: int | None) -> None:
        self.topic, self.partition = tp.topic, tp.partition
        self.offset, self.timestamp, self.timestamp_type = records.last_offset, int(records.timestamps[-1]), 0
        self.key, self.value, self.headers = None, Chunk(records, follows), ()
        self.checksum, self.serialized_key_size, self.serialized_value_size = None, 0, 0


class ConsumerThread(aiokafka.AIOKafkaConsumerThread):
    """The thread of the aiokafka consumer, which is made read_committed and hands over columns."""

    consumer: Any

    def _create_worker_consumer(self, transport: Any) -> Any:
        # The only switch Faust has for the isolation level is `in_transaction`; flipped while the consumer is made,
        # and only then, since it means much more elsewhere.
        self.consumer.in_transaction = True
        try:
            consumer = super()._create_worker_consumer(transport)
        finally:
            self.consumer.in_transaction = False
        # Faust hard-codes 1.5 s, which shows as steps of latency when a fetch in flight excludes a busy partition.
        consumer._fetch_max_wait_ms = FETCH_MAX_WAIT_MS
        # Faust's one request timeout is also its limit for a whole recovery; a request that hangs that long hides a dead broker.
        consumer._request_timeout_ms = consumer._client._request_timeout_ms = REQUEST_TIMEOUT_MS
        choose_columns()
        consumer._value_deserializer = Columns(self.consumer._host.source_topic)
        return consumer


FETCH_MAX_WAIT_MS = 250
"""How long the broker may hold an empty fetch."""

CROWDED_FETCH_S = 0.02
"""How long a fetch may wait while a partition without room is left out of it: that one must not wait for the others."""

REQUEST_TIMEOUT_MS = 40_000
"""How long a request to a broker may take before the connection counts as dead; Kafka's own default."""


class Consumer(aiokafka.Consumer):
    """Faust's consumer, with chunks for the transactions topic."""

    app: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._host: Host = self.app.host
        self._reading = Reading()
        self._committable: dict[int, int] = {}
        self._group_offsets: dict[TP, int | None] = {}

    def _is_folded(self, tp: TP) -> bool:
        return bool(tp.topic == self._host.source_topic)

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Mapping[TP, list[Any]]:
        """What waits in the client for the partitions that have room: a slow partition holds up no other."""
        active = active_partitions or set()
        full = {tp for tp in active if self._is_folded(tp) and not self._host.has_room(tp.partition)}
        if full and full == active:
            await self._host.wait_for_room(timeout)
            self._host.fetched()
            return {}
        self._reading.mark()
        try:
            fetched = await super()._getmany(active - full, min(timeout, CROWDED_FETCH_S) if full else timeout)
        except (DamagedLogError, CorruptRecordException) as error:
            raise self._host.failed(_damaged(error)) from None
        self._host.fetched()
        return {tp: self._fold(tp, items) if self._is_folded(tp) else items for tp, items in fetched.items()}

    def _fold(self, tp: TP, items: Sequence[Records]) -> list[Any]:
        """One record of all."""
        if not items:
            return []
        records = Records.join(items)
        return [_FoldedRecord(tp, records, self._reading.advance(tp.partition, records.last_offset))]

    async def _seek(self, partition: TP, offset: int) -> None:
        await super()._seek(partition, offset)
        if self._is_folded(partition):
            self._reading.sought(partition.partition, offset)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Fence and find the tails before Faust's own handling starts recovery."""
        self._committable.clear()
        self._group_offsets.clear()
        self._reading.forget()  # where it stood in another generation says nothing
        if not self.app.should_stop:  # on the way out nobody is fenced any more
            partitions = sorted(tp.partition for tp in assigned if self._is_folded(tp))
            await self._host.assigned(partitions, generation_id)
        await super().on_partitions_assigned(assigned, generation_id)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Let the runs in flight end, so that nobody is fenced for nothing."""
        await self._host.revoked(sorted(tp.partition for tp in revoked if self._is_folded(tp)))
        await super().on_partitions_revoked(revoked)

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """For the changelog: load the state, and answer the last data record + 1 instead of the end, which is a marker."""
        changelog = [tp for tp in partitions if tp.topic == self._host.changelog_topic]
        found = dict(await super().highwaters(*(set(partitions) - set(changelog))))
        ends = await asyncio.gather(*(self._host.recover(tp.partition) for tp in changelog))
        return found | {tp: _still_ours(end, tp) + 1 for tp, end in zip(changelog, ends, strict=True)}

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Faust's way to its first read position: for the transactions topic, the offset after the last audited one."""
        self._reading.forget()  # Faust's own seek comes first: what is fetched between the two follows nothing
        found = dict(await super().seek_to_committed())
        for tp in [tp for tp in found if self._is_folded(tp)]:
            self._group_offsets[tp] = found[tp]
            found[tp] = _still_ours(self._host.next_offset(tp.partition), tp)
            await self._seek(tp, found[tp])
            # What a worker before us decided, and died before the group's offset followed: lag tools must see that too.
            self._committable[tp.partition] = found[tp]
            _ = self._acked[tp]  # Faust asks for the offsets of the partitions that stand here
        return found

    async def perform_seek(self) -> None:
        """Faust takes the position that it was given for the group's offset, and would not commit it then."""
        await super().perform_seek()
        self._committed_offset.update(self._group_offsets)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        if not self._is_folded(tp):
            await super()._add_gap(tp, offset_from, offset_to)

    def _new_offset(self, tp: TP) -> int | None:
        if not self._is_folded(tp):
            offset: int | None = super()._new_offset(tp)
            return offset
        acked = self._acked[tp]
        if acked:
            # Never back: what was fetched before the seek, and known, is acked after it.
            self._committable[tp.partition] = max(self._committable.get(tp.partition, 0), max(acked) + 1)
            acked.clear()
            self._acked_index[tp].clear()
        return self._committable.get(tp.partition)

    async def commit_and_end_transactions(self) -> None:
        """The last commit, at a stop or a revocation. Faust takes one that is under way for it, and what was acked since would stay behind."""
        await self.maybe_wait_for_commit_to_finish()
        await super().commit_and_end_transactions()

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's stall warnings know records, not chunks; ours are the age of the last fetch and commit."""


def _damaged(error: DamagedLogError | CorruptRecordException) -> DamagedLogError:
    """Aiokafka's own word for it is of topics in an old format."""
    return error if isinstance(error, DamagedLogError) else DamagedLogError(f"{error}: see docs/exit-codes.md")


def _still_ours(offset: int | None, tp: TP) -> int:
    """Faust takes IllegalStateError during a recovery for what it is: another rebalance has begun, and recovery starts over."""
    if offset is None:
        raise IllegalStateError(f"{tp.topic}[{tp.partition}] was taken away")
    return offset


class Transport(aiokafka.Transport):
    """`runs://HOST:PORT`."""

    Consumer = Consumer
