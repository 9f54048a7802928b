"""The decoding kernel: interprets a compiled program over the records of one schema, straight into columns.

Positions are int64 and checked before each read; indices are cast to uint64 so that numba emits no negative wrap-around.
It never raises and never reads outside `[begin, end)` of a record, whatever the bytes are.
"""

import numpy as np

from monitor.jit import inlined, kernel
from monitor.wire import ops as op
from monitor.wire.hashing import NOT_ASCII, U64, load_word, siphash13_ascii

_INT_MIN, _INT_MAX = -(2**31), 2**31 - 1
_LONG_MIN = -(2**63)
_FAILED = -1

# Op codes as globals of this module: numba freezes them into the compiled switch.
_END, _JUMP, _LONG, _ENUM, _STRING, _NULLABLE, _NULL = (
    op.END,
    op.JUMP,
    op.LONG,
    op.ENUM,
    op.STRING,
    op.NULLABLE,
    op.NULL,
)
_CONSTANT, _SKIP_VARINT, _SKIP_BYTES, _SKIP_FIXED = op.CONSTANT, op.SKIP_VARINT, op.SKIP_BYTES, op.SKIP_FIXED
_SKIP_BOOLEAN, _SKIP_ENUM, _UNION = op.SKIP_BOOLEAN, op.SKIP_ENUM, op.UNION
_BLOCKS, _NEXT, _EMPTY_BLOCKS, _MAX_DEPTH = op.BLOCKS, op.NEXT, op.EMPTY_BLOCKS, op.MAX_DEPTH


@kernel
def _long_varint(data, at, end):  # type: ignore[no-untyped-def]
    bits, shift = U64(0), U64(0)
    while at < end:
        byte = data[U64(at)]
        at += 1
        if shift == U64(63) and byte > 1:
            break
        bits |= U64(byte & 0x7F) << shift
        if byte < 0x80:
            return np.int64(bits >> U64(1)) ^ -np.int64(bits & U64(1)), at
        shift += U64(7)
    return np.int64(0), np.int64(_FAILED)


@inlined
def _varint(data, at, end):  # type: ignore[no-untyped-def]
    """Zig-zag varint at `at`: (value, place after it), the place -1 where it is cut off or exceeds 64 bits."""
    value, after = np.int64(0), np.int64(_FAILED)
    if at < end and data[U64(at)] < 0x80:  # nearly always: lengths, branches and symbols
        byte = np.int64(data[U64(at)])
        value = (byte >> 1) ^ -(byte & 1)
        after = at + 1
    else:
        value, after = _long_varint(data, at, end)
    return value, after


@kernel
def is_utf8(data, at, end):  # type: ignore[no-untyped-def]  # noqa: C901
    """Whether `data[at:end]` is UTF-8 as Python decodes it: no overlong forms, no surrogates, at most U+10FFFF."""
    while at < end:
        if end - at >= 8 and load_word(data, U64(at)) & NOT_ASCII == U64(0):
            at += 8
            continue
        lead = data[U64(at)]
        if lead < 0x80:
            at += 1
            continue
        low, high = 0x80, 0xBF
        if lead < 0xC2 or lead > 0xF4:
            return False
        if lead < 0xE0:
            more = 1
        elif lead < 0xF0:
            more = 2
            low = 0xA0 if lead == 0xE0 else 0x80
            high = 0x9F if lead == 0xED else 0xBF
        else:
            more = 3
            low = 0x90 if lead == 0xF0 else 0x80
            high = 0x8F if lead == 0xF4 else 0xBF
        if end - at <= more:
            return False
        second = data[U64(at + 1)]
        if second < low or second > high:
            return False
        for place in range(2, more + 1):
            if data[U64(at + place)] & 0xC0 != 0x80:
                return False
        at += more + 1
    return True


@inlined
def _span(data, at, end, text):  # type: ignore[no-untyped-def]
    """Length-prefixed bytes at `at`: (start, place after them), the place -1 where they do not fit or are not text."""
    length, start = _varint(data, at, end)
    after = np.int64(_FAILED)
    if start >= 0 and 0 <= length <= end - start and (not text or is_utf8(data, start, start + length)):
        after = start + length
    return start, after


@kernel
def _block(data, at, end):  # type: ignore[no-untyped-def]
    """A block's header at `at`: (items, place where the block must end or -1, place after the header or -1)."""
    count, at = _varint(data, at, end)
    if at < 0 or count >= 0:
        return count, np.int64(-1), at
    size, at = _varint(data, at, end)
    if at < 0 or count == _LONG_MIN or size < 0 or size > end - at:
        return np.int64(0), np.int64(-1), np.int64(_FAILED)
    return -count, at + size, at


@kernel
def _empty_blocks(data, at, end):  # type: ignore[no-untyped-def]
    """Step over an array whose items take no bytes."""
    while True:
        count, block_end, at = _block(data, at, end)
        if at < 0 or (block_end >= 0 and block_end != at):
            return np.int64(_FAILED)
        if count == 0:
            return at


@inlined
def _skip(code, a, b, data, at, end):  # type: ignore[no-untyped-def]
    """Step over one scalar; the place after it, -1 where it is not what the schema says."""
    value, after = np.int64(0), np.int64(_FAILED)
    if code == _SKIP_FIXED:
        if a <= end - at:
            after = at + a
    elif code == _SKIP_BYTES:
        value, after = _span(data, at, end, a == 1)
    elif code == _SKIP_BOOLEAN:
        if at < end and data[U64(at)] <= 1:
            after = at + 1
    elif code == _EMPTY_BLOCKS:
        after = _empty_blocks(data, at, end)
    else:
        value, after = _varint(data, at, end)
        if (code == _SKIP_ENUM and (value < 0 or value >= a)) or (
            code == _SKIP_VARINT and b == 1 and (value < _INT_MIN or value > _INT_MAX)
        ):
            after = np.int64(_FAILED)
    return after


@inlined
def _number(code, b, c, table, data, at, end):  # type: ignore[no-untyped-def]
    """A long, int or enum at `at`: (its value for the column, place after it or -1)."""
    value, after = _varint(data, at, end)
    if after >= 0 and code == _LONG:
        if b == 1 and (value < _INT_MIN or value > _INT_MAX):
            after = np.int64(_FAILED)
    elif after >= 0:
        if value < 0 or value >= c:
            after = np.int64(_FAILED)
        else:
            value = table[U64(b + value)]
            if value < 0:
                after = np.int64(_FAILED)
    return value, after


@inlined
def _text(code, column, null_branch, data, at, end, row, starts, lengths, hashes, k0, k1):  # type: ignore[no-untyped-def]
    """A string, null, or either after its branch, into its column; the place after it or -1."""
    null = code == _NULL
    if code == _NULLABLE:
        branch, at = _varint(data, at, end)
        if branch < 0 or branch > 1:
            at = np.int64(_FAILED)
        null = branch == null_branch
    start, length, digest = np.int64(0), np.int64(-1), U64(0)
    if not null and at >= 0:
        start, at = _span(data, at, end, False)
        if at >= 0:
            length = at - start
            digest, ascii_only = siphash13_ascii(data, start, length, k0, k1)
            if not ascii_only and not is_utf8(data, start, at):
                at = np.int64(_FAILED)
    starts[column, row], lengths[column, row], hashes[column, row] = start, length, digest
    return at


@inlined
def _next_item(first, body, after, items, block_ends, depth, data, at, end):  # type: ignore[no-untyped-def]
    """Where to go on in an array or map, before its `first` item or after one: (instruction, depth, place or -1)."""
    here = depth if first else depth - 1
    if not first:
        items[here] -= 1
        if items[here] > 0:
            return body, depth, at
        if block_ends[here] >= 0 and block_ends[here] != at:
            return body, depth, np.int64(_FAILED)
    items[here], block_ends[here], at = _block(data, at, end)
    if items[here] != 0:
        return body, here + 1, at
    return after, here, at


@inlined
def _record(data, at, end, program, table, items, block_ends, row, longs, starts, lengths, hashes, k0, k1):  # type: ignore[no-untyped-def]  # noqa: C901
    """Run the program over one record. True if it was read whole; else the row's cells are partly written."""
    pc, depth = np.int64(0), np.int64(0)
    while at >= 0:
        code, a, b, c = program[pc, 0], program[pc, 1], program[pc, 2], program[pc, 3]
        pc += 1
        if code in (_NULLABLE, _STRING, _NULL):
            at = _text(code, a, b, data, at, end, row, starts, lengths, hashes, k0, k1)
        elif code in (_LONG, _ENUM):
            longs[a, row], at = _number(code, b, c, table, data, at, end)
        elif code == _CONSTANT:
            longs[a, row] = table[b]
        elif code == _END:
            return at == end
        elif code == _JUMP:
            pc = np.int64(a)
        elif code == _UNION:
            branch, at = _varint(data, at, end)
            if branch < 0 or branch >= b:
                return False
            pc = table[a + branch]
        elif code == _BLOCKS:
            pc, depth, at = _next_item(True, pc, np.int64(a), items, block_ends, depth, data, at, end)
        elif code == _NEXT:
            pc, depth, at = _next_item(False, np.int64(a), np.int64(b), items, block_ends, depth, data, at, end)
        elif code >= _SKIP_VARINT:
            at = _skip(code, a, b, data, at, end)
        else:
            return False
    return False


@kernel
def decode_rows(  # type: ignore[no-untyped-def]
    data, begins, ends, rows, program, table, items, block_ends,
    longs, starts, lengths, hashes, reason, undecodable, k0, k1,
):  # fmt: skip
    """Decode the records `rows` (int64), each `data[begins[row] : ends[row]]`, into the columns of the same row.

    Shapes and dtypes of the columns as in `monitor.wire.columns.Columns`; program and table as in `Program`. A record that is
    not one of its schema gets `undecodable` as its reason, and cells of 0. `items` and `block_ends`, int64[MAX_DEPTH], are scratch.
    """
    for place in range(rows.shape[0]):
        row = rows[place]
        if not _record(
            data, begins[row], ends[row], program, table, items, block_ends, row, longs, starts, lengths, hashes, k0, k1
        ):
            reason[row] = undecodable
            for column in range(longs.shape[0]):
                longs[column, row] = 0
            for column in range(starts.shape[0]):
                starts[column, row], lengths[column, row], hashes[column, row] = 0, 0, U64(0)
