"""The tree of `monitor/effects/merkle.py` over the entries of a run, by kernel: what seals a block. Readers verify with merkle.py and hashlib.

An entry is a decision's 24 bytes followed by a span of `data`. Both are hashed where they lie, sixteen entries side by side, without
Python bytes a record. In front of an entry stands the leaf's zero byte, so its words in the hash are those of the decision, shifted by one byte.
"""

import numpy as np
from numpy.typing import NDArray

from monitor.effects.merkle import EMPTY_ROOT
from monitor.effects.sha256 import BLOCK_BYTES, DIGEST_WORDS, LANES, SPARE, WORDS, begin, compress, work_array
from monitor.jit import inlined, kernel

U32, U64 = np.uint32, np.uint64

_HEAD_BYTES = 25
"""The leaf's zero byte and the decision."""

_PADDING_BYTES = 9
"""At least: a one bit in a byte of its own, and the length of the message in bits as eight."""

_NODE = U32(1)
_END = U32(0x80000000)
_FF, _FF00 = U64(0x00FF00FF00FF00FF), U64(0x0000FFFF0000FFFF)


def root_of(
    rows: NDArray[np.uint64], data: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> bytes:
    """The root over `n` entries, 32 bytes: decision i of `rows` uint64[3 * n], its bytes as they lie, and then `lengths[i]` bytes of
    `data` from `starts[i]` on; both int64[n].

    Spans must lie inside `data`, and no length may be negative: unchecked.
    """
    if not len(rows):
        return EMPTY_ROOT
    digests = np.empty(DIGEST_WORDS * len(lengths), np.uint32)
    _root(rows, data, starts, lengths, work_array(), digests)
    return digests[:DIGEST_WORDS].tobytes()


def leaf_hashes(
    rows: NDArray[np.uint64], data: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> list[bytes]:
    """The leaves below `root_of` the same: for tests."""
    digests = np.empty(DIGEST_WORDS * len(lengths), np.uint32)
    _leaves(rows, data, starts, lengths, work_array(), digests)
    return [each.tobytes() for each in np.ascontiguousarray(digests.reshape(DIGEST_WORDS, -1).T).astype(">u4")]


@inlined
def _swapped(word):  # type: ignore[no-untyped-def]
    """The bytes of a uint64 in the other order."""
    word = ((word >> U64(8)) & _FF) | ((word & _FF) << U64(8))
    word = ((word >> U64(16)) & _FF00) | ((word & _FF00) << U64(16))
    return (word >> U64(32)) | (word << U64(32))


@inlined
def _head(rows, row, work, lane):  # type: ignore[no-untyped-def]
    """The first six words of a leaf, and the byte of the seventh that is the decision's last."""
    a, b, c = _swapped(rows[3 * row]), _swapped(rows[3 * row + 1]), _swapped(rows[3 * row + 2])
    at = WORDS + lane
    work[at] = U32(a >> U64(40))
    work[at + LANES] = U32(a >> U64(8))
    work[at + 2 * LANES] = U32((a << U64(24)) | (b >> U64(40)))
    work[at + 3 * LANES] = U32(b >> U64(8))
    work[at + 4 * LANES] = U32((b << U64(24)) | (c >> U64(40)))
    work[at + 5 * LANES] = U32(c >> U64(8))
    return U32(c << U64(24))


@inlined
def _four(data, at):  # type: ignore[no-untyped-def]
    """Four bytes of `data` from `at` (uint64: no negative indices to wrap) as a big-endian word."""
    word = (U32(data[at]) << U32(24)) | (U32(data[at + U64(1)]) << U32(16))
    return U32(word | (U32(data[at + U64(2)]) << U32(8)) | U32(data[at + U64(3)]))


@inlined
def _end(data, at, left):  # type: ignore[no-untyped-def]
    """The last `left` bytes of a message, 0 to 3, and the bit that ends it."""
    word = _END >> U32(8 * left)
    for place in range(left):
        word |= U32(data[at + U64(place)]) << U32(24 - 8 * place)
    return U32(word)


@inlined
def _tail(data, start, length, work, lane, word, done):  # type: ignore[no-untyped-def]
    """The words of a block from `word` on: what of the span is left after `done` bytes, the end of the message, zeros."""
    whole = min(max((length - done) >> 2, 0), 16 - word)
    at, to = U64(start + done), WORDS + word * LANES + lane
    for _ in range(whole):
        work[to] = _four(data, at)
        at, to = at + U64(4), to + LANES
    left = length - done - 4 * whole
    word += whole
    if word < 16 and left >= 0:
        work[to] = _end(data, at, left)
        word, to = word + 1, to + LANES
    for _ in range(word, 16):
        work[to] = U32(0)
        to += LANES


@inlined
def _block(rows, row, data, start, length, work, lane, number):  # type: ignore[no-untyped-def]
    """Block `number` of a leaf into the words of `lane`; whether it is the last."""
    if number == 0:
        last = _head(rows, row, work, lane)
        first = _four(data, U64(start)) if length >= 4 else _end(data, U64(start), length)
        work[WORDS + 6 * LANES + lane] = last | (first >> U32(8))
        _tail(data, start, length, work, lane, 7, 3)
    else:
        _tail(data, start, length, work, lane, 0, number * BLOCK_BYTES - _HEAD_BYTES)
    size = _HEAD_BYTES + length
    if size + _PADDING_BYTES > (number + 1) * BLOCK_BYTES:
        return False
    work[WORDS + 14 * LANES + lane] = U32(size >> 29)
    work[WORDS + 15 * LANES + lane] = U32(size << 3)
    return True


@inlined
def _keep(work, lane, digests, to):  # type: ignore[no-untyped-def]
    step = digests.shape[0] // DIGEST_WORDS
    for word in range(DIGEST_WORDS):
        digests[word * step + to] = work[word * LANES + lane]


@kernel
def _leaves(rows, data, starts, lengths, work, digests):  # type: ignore[no-untyped-def]
    """Fill `digests` uint32[8 * n], all first words, all second words and so on, with the hashes of the leaves."""
    for group in range(0, lengths.shape[0], LANES):
        lanes = min(LANES, lengths.shape[0] - group)
        longest = 0
        for lane in range(lanes):
            longest = max(longest, lengths[group + lane])
        begin(work)
        for number in range((_HEAD_BYTES + longest + _PADDING_BYTES + BLOCK_BYTES - 1) // BLOCK_BYTES):
            ends = U32(0)
            for lane in range(lanes):
                row = group + lane
                done = number * BLOCK_BYTES >= _HEAD_BYTES + lengths[row] + _PADDING_BYTES
                if not done and _block(rows, row, data, starts[row], lengths[row], work, lane, number):
                    ends |= U32(1) << U32(lane)
            compress(work)
            for lane in range(lanes):
                if ends >> U32(lane) & U32(1):  # what this lane does from here on is for nothing
                    _keep(work, lane, digests, group + lane)


@inlined
def _pairs(work, digests, left, lanes):  # type: ignore[no-untyped-def]
    """Chaining values of the nodes over hashes `left` and the next, and so on: 65 bytes, words shifted by one byte."""
    step = digests.shape[0] // DIGEST_WORDS
    begin(work)
    for lane in range(lanes):
        work[SPARE + lane] = _NODE
    for word in range(16):
        hashes, to = (word % DIGEST_WORDS) * step + left + word // DIGEST_WORDS, WORDS + word * LANES
        for lane in range(lanes):
            found = digests[hashes + 2 * lane]
            work[to + lane] = U32((work[SPARE + lane] << U32(24)) | (found >> U32(8)))
            work[SPARE + lane] = found
    compress(work)
    for lane in range(LANES):
        work[WORDS + lane] = U32((work[SPARE + lane] << U32(24)) | (_END >> U32(8)))
    for place in range(LANES, 15 * LANES):
        work[WORDS + place] = U32(0)
    for lane in range(LANES):
        work[WORDS + 15 * LANES + lane] = U32(8 * 65)
    compress(work)


@kernel
def _climb(work, digests):  # type: ignore[no-untyped-def]
    """Hash the leaves' hashes up to the root, in place: it ends where the first leaf's hash was."""
    step = digests.shape[0] // DIGEST_WORDS
    count = step
    while count > 1:
        pairs = count // 2
        for group in range(0, pairs, LANES):
            lanes = min(LANES, pairs - group)
            _pairs(work, digests, 2 * group, lanes)
            for lane in range(lanes):
                _keep(work, lane, digests, group + lane)
        if count % 2:
            for word in range(DIGEST_WORDS):
                digests[word * step + pairs] = digests[word * step + count - 1]
        count -= pairs


@kernel
def _root(rows, data, starts, lengths, work, digests):  # type: ignore[no-untyped-def]
    """The root into the first eight of `digests`, as big-endian words."""
    _leaves(rows, data, starts, lengths, work, digests)
    _climb(work, digests)
    for word in range(DIGEST_WORDS):
        digests[word] = U32(_swapped(U64(digests[word * lengths.shape[0]])) >> U64(32))
