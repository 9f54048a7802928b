"""The run: what waits for one partition, decided and committed together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class RawRecord(Protocol):
    """A Kafka record as it came, key and value undecoded. aiokafka's ConsumerRecord is one."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


@dataclass(frozen=True, slots=True)
class Record:
    """A `RawRecord` of our own: for replays, tests and the simulation."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = 0
    headers: Sequence[tuple[str, bytes]] = ()


def size_of(record: RawRecord) -> int:
    """Bytes of key, value and headers."""
    size = len(record.value or b"") + len(record.key or b"")
    if record.headers:
        # A header's value may be null in Kafka, whatever the types of a client say.
        size += sum(len(name) + len(value or b"") for name, value in record.headers)
    return size


@dataclass(frozen=True, slots=True)
class Run:
    """Records of one partition in offset order, none of them decided before.

    `after` is the last offset decided before this run: the run covers `after + 1 .. records[-1].offset`. Offsets may
    have honest gaps (transaction markers, aborted records, compaction). Never empty.
    """

    topic: str
    partition: int
    after: int
    records: Sequence[RawRecord]

    @property
    def last_offset(self) -> int:
        """The offset of the last record."""
        return self.records[-1].offset
