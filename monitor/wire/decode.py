"""A run's raw values into columns: framing, one kernel call a schema, and the slow reader for what the kernel cannot read."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.guard.reasons import Reason
from monitor.jit import kernel
from monitor.wire.avro_fallback import Fallback, Row
from monitor.wire.avro_kernel import decode_rows
from monitor.wire.columns import LONGS, STRINGS, Columns
from monitor.wire.framing import HEADER_BYTES
from monitor.wire.hashing import HashKey, hash_rows
from monitor.wire.ops import MAX_DEPTH
from monitor.wire.reader import Reader, compile_reader, transaction_schema
from monitor.wire.records import Spans

__all__ = ["Reader", "compile_reader", "decode", "schema_ids", "warm_up"]

NO_ID = -1
"""The schema id of a value without a valid header. A registry's ids are above 0."""

NO_LIMIT = 1 << 62

_EMPTY, _MAGIC, _SHORT = int(Reason.EMPTY_VALUE), int(Reason.WRONG_MAGIC), int(Reason.TRUNCATED_HEADER)
_OVERSIZED, _UNDECODABLE = int(Reason.OVERSIZED), int(Reason.UNDECODABLE)


class _Frames(NamedTuple):
    """Each value is `data[begins - 5 : ends]`, its payload `data[begins : ends]`."""

    data: NDArray[np.uint8]
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]
    ids: NDArray[np.int32]
    reason: NDArray[np.uint8]


def schema_ids(values: Spans) -> NDArray[np.int32]:
    """The schema id of each value, int32[n]; `NO_ID` where there is no valid header."""
    return _frame(values, NO_LIMIT).ids


def decode(values: Spans, readers: Mapping[int, Reader | Reason], hash_key: HashKey, max_value_bytes: int) -> Columns:
    """The values as columns, in their order. Never raises on what the values hold: a bad one gets its reason, and cells of 0.

    `readers` maps schema ids to their reader, or to the reason why there is none; an absent id is `UNKNOWN_SCHEMA`. Values
    beyond `max_value_bytes` (framing included) are `OVERSIZED`.
    """
    frames = _frame(values, max_value_bytes)
    n = len(values)
    columns = Columns(
        data=frames.data,
        longs=np.zeros((len(LONGS), n), np.int64),
        starts=np.zeros((len(STRINGS), n), np.int64),
        lengths=np.zeros((len(STRINGS), n), np.int32),
        hashes=np.zeros((len(STRINGS), n), np.uint64),
        reason=frames.reason,
        schema_ids=frames.ids,
    )
    slow: list[tuple[Fallback, NDArray[np.int64]]] = []
    for schema_id, rows in _by_schema(frames):
        reader = readers.get(schema_id, Reason.UNKNOWN_SCHEMA)
        if isinstance(reader, Reason):
            columns.reason[rows] = int(reader)
        elif reader.program is not None:
            decode_rows(
                columns.data, frames.begins, frames.ends, rows, reader.program.code, reader.program.table, *_stacks(), columns.longs,
                columns.starts, columns.lengths, columns.hashes, columns.reason, _UNDECODABLE, hash_key.k0, hash_key.k1,
            )  # fmt: skip
        elif reader.fallback is not None:
            slow.append((reader.fallback, rows))
    return _read_slowly(slow, frames, columns, hash_key) if slow else columns


def _stacks() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.zeros(MAX_DEPTH, np.int64), np.zeros(MAX_DEPTH, np.int64)


def warm_up() -> None:
    """Compile the kernels, or load them from numba's cache, so that the first run does not wait for it."""
    key = HashKey(np.uint64(1), np.uint64(2))
    decode(Spans.of([b"\0\0\0\0\1", None]), {1: compile_reader(transaction_schema())}, key, HEADER_BYTES)
    empty = np.zeros((1, 0), np.int64)
    hash_rows(
        np.frombuffer(b"", np.uint8), empty[0], empty, empty.astype(np.int32), empty.astype(np.uint64), key.k0, key.k1
    )


def _frame(values: Spans, max_value_bytes: int) -> _Frames:
    n = len(values)
    ids, reason = np.empty(n, np.int32), np.empty(n, np.uint8)
    _read_headers(values.data, values.starts, values.lengths, max_value_bytes, ids, reason)
    begins, ends = values.starts + HEADER_BYTES, values.starts + values.lengths
    return _Frames(values.data, begins, ends, ids, reason)


@kernel
def _read_headers(data, starts, sizes, max_value_bytes, ids, reason):  # type: ignore[no-untyped-def]
    """Fill `ids` int32[n] and `reason` uint8[n] from the headers of the values at `starts`, of `sizes`; a size below 0 is a tombstone."""
    for row in range(sizes.shape[0]):
        at = starts[row]
        ids[row] = NO_ID
        reason[row] = 0
        if sizes[row] <= 0:
            reason[row] = _EMPTY
        elif data[at] != 0:
            reason[row] = _MAGIC
        elif sizes[row] < HEADER_BYTES:
            reason[row] = _SHORT
        else:
            number = np.uint32(0)
            for place in range(1, HEADER_BYTES):
                number = (number << np.uint32(8)) | np.uint32(data[at + place])
            ids[row] = np.int32(number)
            if sizes[row] > max_value_bytes:
                reason[row] = _OVERSIZED


def _by_schema(frames: _Frames) -> list[tuple[int, NDArray[np.int64]]]:
    """The rows that have a schema id and no reason yet, by id."""
    rows = np.flatnonzero(frames.reason == 0)
    if not rows.size:
        return []
    ids = frames.ids[rows]
    if (ids == ids[0]).all():  # nearly always
        return [(int(ids[0]), rows)]
    return [(int(schema_id), rows[ids == schema_id]) for schema_id in np.unique(ids)]


def _read_slowly(
    slow: list[tuple[Fallback, NDArray[np.int64]]], frames: _Frames, columns: Columns, hash_key: HashKey
) -> Columns:
    """Fill the rows of the slow readers. Their strings are appended to `data`, since defaults stand in no record."""
    extra, end = [frames.data.tobytes()], len(frames.data)
    for fallback, rows in slow:
        for row in rows:
            found = fallback.read(frames.data[frames.begins[row] : frames.ends[row]].tobytes())
            if found is None:
                columns.reason[row] = _UNDECODABLE
                continue
            end = _write_row(found, int(row), columns, extra, end)
    data = np.frombuffer(b"".join(extra), np.uint8)
    for _, rows in slow:
        good = rows[columns.reason[rows] == 0]
        hash_rows(data, good, columns.starts, columns.lengths, columns.hashes, hash_key.k0, hash_key.k1)
    return Columns(
        data, columns.longs, columns.starts, columns.lengths, columns.hashes, columns.reason, columns.schema_ids
    )


def _write_row(found: Row, row: int, columns: Columns, extra: list[bytes], end: int) -> int:
    longs, texts = found
    columns.longs[:, row] = longs
    for place, text in enumerate(texts):
        if text is None:
            columns.lengths[place, row] = -1
            continue
        columns.starts[place, row], columns.lengths[place, row] = end, len(text)
        extra.append(text)
        end += len(text)
    return end
