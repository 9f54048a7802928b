"""What the protocol asks of Kafka: reading committed records, and one transaction a run. `KafkaLog` and `TransactionalWriter` do it.

Everything here blocks and is called in threads. The simulation (tests/simulation) puts a log of its own in their place.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from monitor.effects.message import Message
from monitor.wire.records import Record


@dataclass(frozen=True, slots=True)
class Tail:
    """A committed data record: the last one of a partition, or the first from some offset. `time_ms` is its Kafka timestamp."""

    offset: int
    key: bytes | None
    value: bytes | None
    time_ms: int


class Log(Protocol):
    """Topics as a read_committed reader sees them. Every method raises `BrokerError` when Kafka does not answer."""

    def topic_id(self, topic: str) -> str:
        """Kafka's id of the topic as it is now, "" where the broker knows no ids; raises `TopicError` when it is gone."""
        ...

    def watermarks(self, topic: str, partition: int) -> tuple[int, int]:
        """First offset still in the log, and the offset after the last, markers and open transactions included."""
        ...

    def tail(self, topic: str, partition: int) -> Tail | None:
        """The last committed data record, behind transaction markers and aborted records; None when there is none."""
        ...

    def first_from(self, topic: str, partition: int, offset: int) -> Tail | None:
        """The first committed record at or after `offset`, by a fresh read; None at the end of the log."""
        ...

    def offset_at_time(self, topic: str, partition: int, time_ms: int) -> int:
        """The first offset whose timestamp is at least `time_ms`; the end of the log when there is none."""
        ...

    def record_from(self, topic: str, partition: int, offset: int) -> Record | None:
        """The first committed record at or after `offset`; None at the end of the log. One with a header whose name is not UTF-8
        comes without headers.
        """
        ...

    def group_offset(self, group: str, topic: str, partition: int) -> int | None:
        """The offset that a consumer group has committed; None for none."""
        ...

    def read_through(self, topic: str, partition: int, last: int) -> Iterator[tuple[list[bytes], list[bytes | None]]]:
        """Keys and values of all committed records from the beginning up to offset `last`, which must be a data record.

        In batches; an empty one means that nothing came for a moment.
        """
        ...


class Writer(Protocol):
    """The producer of one partition. After any error it is of no further use, and neither is the state of its partition."""

    def fence(self) -> None:
        """Become the partition's only writer: an older one's open transaction is aborted. Raises `CommitError`."""
        ...

    def commit(self, messages: Iterable[Message]) -> None:
        """Write all of `messages`, or nothing. Raises `FencedError` or `CommitError`; then it may have happened or not."""
        ...
