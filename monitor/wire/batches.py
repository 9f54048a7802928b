"""What a fetch returned for one partition, as columns: record batches checked, uncompressed and found by a kernel.

Kafka documentation, "Record Batch", message format 2. Whoever reads committed records leaves out markers and what is aborted.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from aiokafka.codec import gzip_decode, lz4_decode, snappy_decode, zstd_decode
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from monitor.wire.batch_kernel import find_records
from monitor.wire.records import Records

_HEADER = struct.Struct(">qiibIhiqqqhii")
"""Base offset, length, leader epoch, magic, CRC, attributes, last offset delta, base and greatest timestamp, producer id and epoch,
base sequence, number of records."""

HEADER_BYTES = _HEADER.size
_LENGTH_FROM, _CRC_FROM, _MAGIC_AT = 12, 21, 16
_COMPRESSION, _APPEND_TIME, _TRANSACTIONAL, _CONTROL = 0x07, 0x08, 0x10, 0x20
FORMAT = 2
_ABORT = b"\0\0\0\0"
"""The key of a marker that aborts: version and type, both int16. 1 is a commit."""

_DECODE: dict[int, Callable[[Any], bytes]] = {1: gzip_decode, 2: snappy_decode, 3: lz4_decode, 4: zstd_decode}

LEAST_RECORD_BYTES = 7
"""Of a record: length, attributes, two deltas, key and value lengths, number of headers."""

MAX_BYTES_AT_ONCE = 64 << 20
"""Uncompressed, of what is taken from one fetch, unless one batch alone has more; the rest is fetched again."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as its header describes it; `raw` is its records, compressed or not. `producer_id` -1: not idempotent."""

    offset: int
    next_offset: int
    attributes: int
    base_time: int
    append_time: int
    producer_id: int
    count: int
    raw: memoryview

    @property
    def is_control(self) -> bool:
        return bool(self.attributes & _CONTROL)

    @property
    def is_transactional(self) -> bool:
        return bool(self.attributes & _TRANSACTIONAL)

    def records(self) -> bytes:
        """Uncompressed. Raises `Damaged`."""
        codec = self.attributes & _COMPRESSION
        try:
            part = _DECODE[codec](self.raw.tobytes()) if codec else self.raw.tobytes()
        except Exception as error:  # whatever a codec says to bytes that it did not write
            raise Damaged(self.offset, f"codec {codec}: {error}") from None
        if self.count * LEAST_RECORD_BYTES > len(part):
            raise Damaged(self.offset, f"{self.count} records in {len(part)} bytes")
        return part

    def aborts(self) -> bool:
        """Whether a control batch is the marker that aborts its producer's transaction. Raises `Damaged`."""
        markers, damage = found([self], [self.records()], self.offset)
        if damage is not None or not len(markers):
            raise damage or Damaged(self.offset, "a marker without a record")
        return markers.keys.at(0) == _ABORT


class Damaged(ValueError):
    """A batch that is not what was written."""

    def __init__(self, offset: int, why: str) -> None:
        super().__init__(why)
        self.offset = offset


def old_part(raw: bytes) -> bytes:
    """What a fetch begins with of message formats 0 and 1, as in topics that were written long ago; empty nearly always."""
    at = 0
    while len(raw) - at > _MAGIC_AT and raw[at + _MAGIC_AT] < FORMAT:
        at += _LENGTH_FROM + max(int.from_bytes(raw[at + 8 : at + 12], signed=True), 0)
    return raw[:at]


def batches(raw: bytes) -> Iterator[Batch]:
    """The batches of a fetch, checksums held, up to what is cut off at its end or of an old format. Raises `Damaged`."""
    view, at, end = memoryview(raw), 0, len(raw)
    while end - at >= HEADER_BYTES:
        offset, length, _, magic, crc, attributes, last, base_time, greatest, producer, _, _, count = (
            _HEADER.unpack_from(raw, at)
        )
        stop = at + _LENGTH_FROM + length
        if 0 <= magic < FORMAT or stop > end:
            return
        if magic != FORMAT or length < HEADER_BYTES - _LENGTH_FROM or last < 0 or count < 0:
            raise Damaged(offset, f"a header of format {magic}, {length} bytes, {count} records")
        if calc_crc32c(view[at + _CRC_FROM : stop]) != crc:
            raise Damaged(offset, "its checksum does not hold")
        append_time = greatest if attributes & _APPEND_TIME else -1
        yield Batch(
            offset,
            offset + last + 1,
            attributes,
            base_time,
            append_time,
            producer,
            count,
            view[at + HEADER_BYTES : stop],
        )
        at = stop


def found(group: Sequence[Batch], parts: Sequence[bytes], first: int) -> tuple[Records, Damaged | None]:
    """The records at or after offset `first` of batches whose uncompressed records are `parts`, up to the first damaged batch."""
    data = np.frombuffer(b"".join(parts), np.uint8)
    counts = np.array([batch.count for batch in group], np.int64)
    room = int(counts.sum())
    offsets, timestamps, sizes = np.empty((3, room), np.int64)
    places = np.empty((5, room), np.int64)
    rows, bad = find_records(
        data, np.cumsum([len(part) for part in parts], dtype=np.int64), counts,
        np.array([batch.offset for batch in group], np.int64), np.array([batch.base_time for batch in group], np.int64),
        np.array([batch.append_time for batch in group], np.int64), first, offsets, timestamps, sizes, places,
    )  # fmt: skip
    records = Records(data, offsets[:rows], timestamps[:rows], sizes[:rows], *places[:, :rows])
    return records, None if bad < 0 else Damaged(group[bad].offset, "its records are not what its header says")


def warm_up() -> None:
    """The kernel once, on a batch as a broker hands it out."""
    builder = DefaultRecordBatchBuilder(FORMAT, 0, 0, -1, -1, -1, 1024)
    builder.append(0, 0, b"key", b"value", [])
    (batch,) = batches(bytes(builder.build()))
    found([batch], [batch.records()], 0)
