"""Records of one partition as columns over one buffer, and the run: what waits for a partition, decided and committed together.

No Python object is made for a record that nobody looks at: a fetch is parsed into columns (`monitor.wire.batches`), a run is a join of
such columns, and only a record that is dead-lettered, alerted or shown is ever spelled out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from aiokafka.record.util import decode_varint, encode_varint
from numpy.typing import NDArray

NULL = -1
"""The length of a key or value that is null, and the place of headers where there are none."""

Header = tuple[str, bytes | None]
"""A header's value may be null in Kafka, whatever the types of a client say."""


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
    def headers(self) -> Sequence[Any]: ...


@dataclass(frozen=True, slots=True)
class Record:
    """A `RawRecord` of our own. `timestamp` in ms; a header's name that is no UTF-8 has its bad bytes replaced."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = 0
    headers: Sequence[Header] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """Byte strings as places in one buffer: `data` uint8[bytes], `starts` int64[n], `lengths` int64[n], `NULL` for null."""

    data: NDArray[np.uint8]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]

    @classmethod
    def of(cls, values: Sequence[bytes | None]) -> "Spans":
        """The values, copied into a buffer of their own."""
        lengths = np.fromiter((NULL if value is None else len(value) for value in values), np.int64, len(values))
        ends = np.cumsum(np.maximum(lengths, 0))
        data = np.frombuffer(b"".join(value or b"" for value in values), np.uint8)
        return cls(data, ends - np.maximum(lengths, 0), lengths)

    def __len__(self) -> int:
        return len(self.starts)

    def at(self, row: int) -> bytes | None:
        """One of them."""
        length = int(self.lengths[row])
        return None if length < 0 else self.data[self.starts[row] : self.starts[row] + length].tobytes()

    def all(self) -> list[bytes | None]:
        """Each of them, in order."""
        data = self.data.tobytes()
        return [
            None if length < 0 else data[start : start + length]
            for start, length in zip(self.starts.tolist(), self.lengths.tolist(), strict=True)
        ]


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """Records of one partition in offset order. `record(row)` spells one out.

    `data` uint8[bytes]; of its `n` records: `offsets` int64[n], `timestamps` int64[n] in ms, `sizes` int64[n], bytes of each
    uncompressed; keys and values as in `Spans`; `headers_at` int64[n]: where in `data` the headers are, as Kafka writes
    them (a varint of how many, then each), `NULL` where there are none.
    """

    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    timestamps: NDArray[np.int64]
    sizes: NDArray[np.int64]
    key_starts: NDArray[np.int64]
    key_lengths: NDArray[np.int64]
    value_starts: NDArray[np.int64]
    value_lengths: NDArray[np.int64]
    headers_at: NDArray[np.int64]

    @classmethod
    def of(cls, records: Sequence[RawRecord]) -> "Records":
        """Records that a client made objects of."""
        parts = [_headers_written(record.headers) for record in records]
        headers = Spans.of(parts)
        keys, values = Spans.of([record.key for record in records]), Spans.of([record.value for record in records])
        shift, further = len(keys.data), len(keys.data) + len(values.data)
        return cls(
            data=_joined([keys.data, values.data, headers.data]),
            offsets=np.array([record.offset for record in records], np.int64),
            timestamps=np.array([record.timestamp for record in records], np.int64),
            sizes=np.maximum(keys.lengths, 0) + np.maximum(values.lengths, 0) + np.maximum(headers.lengths, 0),
            key_starts=keys.starts,
            key_lengths=keys.lengths,
            value_starts=values.starts + shift,
            value_lengths=values.lengths,
            headers_at=np.where(headers.lengths < 0, NULL, headers.starts + further),
        )

    @classmethod
    def join(cls, parts: "Sequence[Records]") -> "Records":
        """One after the other, at least one of them."""
        if len(parts) == 1:
            return parts[0]
        shifts = np.cumsum([0, *(len(part.data) for part in parts[:-1])])
        pairs = list(zip(parts, shifts.tolist(), strict=True))
        return cls(
            data=_joined([part.data for part in parts]),
            offsets=np.concatenate([part.offsets for part in parts]),
            timestamps=np.concatenate([part.timestamps for part in parts]),
            sizes=np.concatenate([part.sizes for part in parts]),
            key_starts=np.concatenate([part.key_starts + shift for part, shift in pairs]),
            key_lengths=np.concatenate([part.key_lengths for part in parts]),
            value_starts=np.concatenate([part.value_starts + shift for part, shift in pairs]),
            value_lengths=np.concatenate([part.value_lengths for part in parts]),
            headers_at=np.concatenate(
                [np.where(part.headers_at < 0, NULL, part.headers_at + shift) for part, shift in pairs]
            ),
        )

    @property
    def keys(self) -> Spans:
        return Spans(self.data, self.key_starts, self.key_lengths)

    @property
    def values(self) -> Spans:
        return Spans(self.data, self.value_starts, self.value_lengths)

    @property
    def first_offset(self) -> int:
        return int(self.offsets[0])

    @property
    def last_offset(self) -> int:
        return int(self.offsets[-1])

    @property
    def bytes(self) -> int:
        """Of keys, values and headers, uncompressed."""
        return int(self.sizes.sum())

    def after(self, offset: int) -> "Records":
        """Those beyond an offset."""
        known = int(np.searchsorted(self.offsets, offset, "right"))
        return self[known:] if known else self

    def __len__(self) -> int:
        return len(self.offsets)

    def __iter__(self) -> Iterator[Record]:
        data = self.data.data  # numpy's memoryview of itself
        spans = (
            self.offsets,
            self.timestamps,
            self.key_starts,
            self.key_lengths,
            self.value_starts,
            self.value_lengths,
        )
        for row, (offset, timestamp, key, key_length, value, value_length) in enumerate(
            zip(*(each.tolist() for each in spans), strict=True)
        ):
            yield Record(
                offset,
                None if key_length < 0 else bytes(data[key : key + key_length]),
                None if value_length < 0 else bytes(data[value : value + value_length]),
                timestamp,
                _headers_read(self.data, int(self.headers_at[row])),
            )

    def __getitem__(self, rows: slice | NDArray[Any]) -> "Records":
        """Some of them, over the same buffer: a slice, a mask bool[n], or places in ascending order."""
        return Records(
            self.data,
            self.offsets[rows],
            self.timestamps[rows],
            self.sizes[rows],
            self.key_starts[rows],
            self.key_lengths[rows],
            self.value_starts[rows],
            self.value_lengths[rows],
            self.headers_at[rows],
        )

    def record(self, row: int) -> Record:
        """One record, spelled out."""
        return next(iter(self[row : row + 1]))


def _joined(parts: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Read-only, as the data of a fetch is: a kernel is compiled once more for data that can be written."""
    data = np.concatenate(parts)
    data.flags.writeable = False
    return data


def _headers_written(headers: Sequence[Any]) -> bytes | None:
    """As Kafka writes them: a varint of how many, then of each the length and bytes of name and value, -1 for a null value."""
    if not headers:
        return None
    out = bytearray()
    encode_varint(len(headers), out.append)
    for name, value in headers:
        text = name.encode()
        encode_varint(len(text), out.append)
        out += text
        encode_varint(NULL if value is None else len(value), out.append)
        out += value or b""
    return bytes(out)


def _headers_read(data: NDArray[np.uint8], at: int) -> tuple[Header, ...]:
    if at < 0:
        return ()
    raw = data.data  # numpy's memoryview of itself
    count, at = decode_varint(raw, at)
    found: list[Header] = []
    for _ in range(count):
        length, at = decode_varint(raw, at)
        name, at = bytes(raw[at : at + length]).decode(errors="replace"), at + length
        length, at = decode_varint(raw, at)
        found.append((name, None if length < 0 else bytes(raw[at : at + length])))
        at += max(length, 0)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Run:
    """Records of one partition in offset order, none of them decided before.

    `after` is the last offset decided before this run: the run covers `after + 1 .. last_offset`. Offsets may
    have honest gaps (transaction markers, aborted records, compaction). Never empty.
    """

    topic: str
    partition: int
    after: int
    records: Records

    @property
    def last_offset(self) -> int:
        """The offset of the last record."""
        return self.records.last_offset
