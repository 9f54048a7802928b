"""The kernel that finds the records of Kafka's record batches (message format 2) in a buffer and writes where each part of them is.

Format: Kafka documentation, "Record": length, attributes, timestamp delta, offset delta, key, value, headers; all but the attributes
zig-zag varints. It never raises and never reads outside its batch, whatever the bytes are.
"""

import numpy as np

from monitor.jit import inlined, kernel

U64 = np.uint64
_FAILED = -1


@inlined
def _varint(data, at, end):  # type: ignore[no-untyped-def]
    """Zig-zag varint at `at`: (value, place after it), the place -1 where it is cut off or exceeds 64 bits."""
    bits, shift, after = U64(0), U64(0), np.int64(_FAILED)
    while 0 <= at < end and shift < U64(70):
        byte = data[U64(at)]
        at += 1
        bits |= U64(byte & 0x7F) << shift
        if byte < 0x80:
            # The tenth byte has room for one bit; who takes more would read another number than Python does.
            after = at if shift < U64(63) or byte <= 1 else np.int64(_FAILED)
            break
        shift += U64(7)
    return np.int64(bits >> U64(1)) ^ -np.int64(bits & U64(1)), after


@inlined
def _part(data, at, end):  # type: ignore[no-untyped-def]
    """Key or value at `at`: (start, length, place after it), length -1 for null; the place -1 where it does not fit."""
    length, start = _varint(data, at, end)
    after = np.int64(_FAILED)
    if start >= 0 and -1 <= length <= end - start:
        after = start + max(length, 0)
    return start, length, after


@inlined
def _fits_headers(data, at, end):  # type: ignore[no-untyped-def]
    """Whether the headers at `at` end exactly at `end`, names not null."""
    count, at = _varint(data, at, end)
    fits = at >= 0 and 0 <= count <= end - at
    if fits:
        for _ in range(count):
            _, length, at = _part(data, at, end)
            if at < 0 or length < 0:
                fits = False
                break
            _, _, at = _part(data, at, end)
            if at < 0:
                fits = False
                break
    return fits and at == end


@kernel
def find_records(data, ends, counts, base_offsets, base_times, append_times, first, offsets, timestamps, sizes, places):  # type: ignore[no-untyped-def]
    """Write a row for each record at or after offset `first`; `(rows, batch)`: how many, and the first batch that is not whole, or -1.

    `data` uint8: the batches' records, uncompressed, one batch after the other, each up to `ends` int64[b]. Of each batch: `counts`
    int64[b], `base_offsets`, `base_times` (ms), `append_times` (ms; -1: records have times of their own). Out, with room for all
    records: `offsets`, `timestamps`, `sizes` int64[n] and `places` int64[5, n]: key start and length, value start and length, headers.
    What was written for a batch that is not whole counts for nothing.
    """
    row = 0
    begin = np.int64(0)
    for batch in range(ends.shape[0]):
        at, end, before = begin, ends[batch], row
        for _ in range(counts[batch]):
            length, at = _varint(data, at, end)
            if at < 0 or length < 1 or length > end - at:
                return before, batch
            start, stop = at, at + length
            time, at = _varint(data, start + 1, stop)
            delta, at = _varint(data, at, stop)
            key, key_length, at = _part(data, at, stop)
            value, value_length, at = _part(data, at, stop)
            if at < 0 or not _fits_headers(data, at, stop):
                return before, batch
            offset = base_offsets[batch] + delta
            if offset >= first:
                offsets[row] = offset
                timestamps[row] = append_times[batch] if append_times[batch] >= 0 else base_times[batch] + time
                sizes[row] = length
                places[0, row], places[1, row] = key, key_length
                places[2, row], places[3, row] = value, value_length
                places[4, row] = at
                row += 1
            at = stop
        if at != end:
            return before, batch
        begin = end
    return row, -1
