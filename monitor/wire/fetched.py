"""A fetch of the transactions topic by aiokafka's consumer, as columns instead of an object a record.

aiokafka names the class that makes records of a fetch in one place (`PartitionRecords` in `aiokafka.consumer.fetcher`) and offers no way
to choose another. `choose_columns` puts one there that looks at the topic; every other topic is read by aiokafka's own. What reaches
the consumer for ours is one item a fetch: `Records`.
"""

from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.record.memory_records import MemoryRecords

from monitor.wire.batches import MAX_BYTES_AT_ONCE, Batch, Damaged, batches, found, old_part
from monitor.wire.damage import damaged_log
from monitor.wire.records import Records


class Columns:
    """Stands where a consumer has its value deserializer, and says which topic's fetches become columns."""

    def __init__(self, topic: str) -> None:
        self.topic = topic


class Fetched:
    """aiokafka's `MemoryRecords`, and the bytes it was made of."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self._records = MemoryRecords(raw)
        self.has_next, self.size_in_bytes, self.next_batch = (
            self._records.has_next,
            self._records.size_in_bytes,
            self._records.next_batch,
        )


class ColumnRecords(PartitionRecords):  # type: ignore[misc]
    """What a fetch returned for one partition: an iterator of one `Records`, or none.

    `next_fetch_offset` is where reading goes on. Markers and aborted records are left out; so is what comes after
    `MAX_BYTES_AT_ONCE`, which is fetched again. What comes before a damaged batch is handed over; where a damaged one comes first,
    `DamagedLogError` is raised.
    """

    next_fetch_offset: int
    _records: Any

    def _unpack_records(self) -> Iterator[Records]:
        raw, first = self._records.raw, self.next_fetch_offset
        if old := old_part(raw):
            self._records = MemoryRecords(old)  # which takes all for one format
            made = list(super()._unpack_records())
            if made:
                yield Records.of(made)
            return
        whole, damage = self._whole(raw, first)
        records, bad = found([batch for batch, _ in whole], [part for _, part in whole], first)
        if bad is not None:
            damage, self.next_fetch_offset = bad, max(first, bad.offset)
        if damage is not None and self.next_fetch_offset == first:
            raise damaged_log(f"{self._tp.topic}[{self._tp.partition}]", damage.offset, str(damage))
        if len(records):
            yield records

    def _whole(self, raw: bytes, first: int) -> tuple[list[tuple[Batch, bytes]], Damaged | None]:
        """The batches to take records of, uncompressed, up to the first that is damaged; moves `next_fetch_offset`."""
        whole: list[tuple[Batch, bytes]] = []
        taken = 0
        try:
            for batch in batches(raw):
                if not self._leaves_out(batch):
                    whole.append((batch, batch.records()))
                    taken += len(whole[-1][1])
                self.next_fetch_offset = max(first, batch.next_offset)
                if taken > MAX_BYTES_AT_ONCE:
                    break
        except Damaged as damage:
            return whole, damage
        return whole, None

    def _leaves_out(self, batch: Batch) -> bool:
        """As Kafka's consumers read committed: markers, and what a transaction wrote that was aborted."""
        if batch.producer_id >= 0:
            self._consume_aborted_up_to(batch.offset)
            if batch.is_control and batch.aborts():
                self._aborted_producers.discard(batch.producer_id)
        return batch.is_control or (batch.is_transactional and batch.producer_id in self._aborted_producers)


def choose_columns() -> None:
    """Let consumers whose value deserializer is `Columns` have theirs. Harmless when done before."""
    fetcher.MemoryRecords, fetcher.PartitionRecords = Fetched, _records_of


def _records_of(
    tp: Any, records: Fetched, aborted: Any, offset: int, key_deserializer: Any, value_deserializer: Any, *rest: Any
) -> PartitionRecords:
    if not isinstance(value_deserializer, Columns):
        return PartitionRecords(tp, records, aborted, offset, key_deserializer, value_deserializer, *rest)
    kind = ColumnRecords if tp.topic == value_deserializer.topic else PartitionRecords
    return kind(tp, records, aborted, offset, key_deserializer, None, *rest)
