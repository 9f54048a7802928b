"""SHA-256 (FIPS 180-4) of many messages side by side: one lane each, all lanes the same instructions, so that LLVM vectorises them.

Lanes share a `work` array, uint32[33 * LANES], row by row: row 0 to 7 the chaining value, row 8 to 15 the state a to h, row 16 to 31
the block's words, one row for what a caller keeps. Who hashes fills the words of each lane, calls `compress`, and reads the chaining value.
The standard library's hashlib is the reference, and twice as fast for a single long message; for many short ones a Python call for
each costs ten times what the hash does.
"""

import math

import numpy as np
from numpy.typing import NDArray

from monitor.jit import inlined, kernel

U32 = np.uint32

LANES = 16
"""Messages side by side: as many 32-bit words as the widest registers hold."""

WORDS, SPARE = 16 * LANES, 32 * LANES
"""Where the rows of words begin, and the spare row."""

BLOCK_BYTES = 64
DIGEST_WORDS = 8


def _roots(power: int, count: int) -> NDArray[np.uint32]:
    """The first 32 bits of the fractional parts of the square (2) or cube (3) roots of the first primes (FIPS 180-4, 4.2.2, 5.3.3)."""
    primes = (n for n in range(2, 312) if all(n % d for d in range(2, math.isqrt(n) + 1)))
    found = []
    for _, prime in zip(range(count), primes, strict=False):
        scaled = prime << (32 * power)  # its root is the prime's, times 2**32
        root = math.floor(scaled ** (1 / power))
        while root**power > scaled:
            root -= 1
        while (root + 1) ** power <= scaled:
            root += 1
        found.append(root & 0xFFFFFFFF)
    return np.array(found, np.uint32)


_K = _roots(3, 64)
_START = _roots(2, DIGEST_WORDS)


def work_array() -> NDArray[np.uint32]:
    """What `begin` and `compress` work on; its contents do not matter."""
    return np.empty(33 * LANES, np.uint32)


@inlined
def _rotate(word, bits):  # type: ignore[no-untyped-def]
    return U32((word >> bits) | (word << (U32(32) - bits)))


@inlined
def _round(a, b, c, d, e, f, g, h, added):  # type: ignore[no-untyped-def]
    """(d, h) after the round; `added` is the word and its constant. The caller turns the eight names instead of moving values."""
    first = U32(
        h
        + U32(_rotate(e, U32(6)) ^ _rotate(e, U32(11)) ^ _rotate(e, U32(25)))
        + U32(U32(e & f) ^ U32(U32(~e) & g))
        + added
    )
    second = U32(
        U32(_rotate(a, U32(2)) ^ _rotate(a, U32(13)) ^ _rotate(a, U32(22))) + U32(U32(a & b) ^ U32(a & c) ^ U32(b & c))
    )
    return U32(d + first), U32(first + second)


@inlined
def _word(w0, w1, w9, w14):  # type: ignore[no-untyped-def]
    """The word sixteen after `w0`."""
    low = U32(_rotate(w1, U32(7)) ^ _rotate(w1, U32(18)) ^ U32(w1 >> U32(3)))
    high = U32(_rotate(w14, U32(17)) ^ _rotate(w14, U32(19)) ^ U32(w14 >> U32(10)))
    return U32(w0 + low + w9 + high)


@inlined
def _schedule(work):  # type: ignore[no-untyped-def]
    """The next sixteen words of each lane. Written out: a lane's words must stay in registers."""
    for lane in range(LANES):
        p = lane + 256
        w0, w1, w2, w3 = work[p], work[p + 16], work[p + 32], work[p + 48]
        w4, w5, w6, w7 = work[p + 64], work[p + 80], work[p + 96], work[p + 112]
        w8, w9, w10, w11 = work[p + 128], work[p + 144], work[p + 160], work[p + 176]
        w12, w13, w14, w15 = work[p + 192], work[p + 208], work[p + 224], work[p + 240]
        w0, w1 = _word(w0, w1, w9, w14), _word(w1, w2, w10, w15)
        w2, w3 = _word(w2, w3, w11, w0), _word(w3, w4, w12, w1)
        w4, w5 = _word(w4, w5, w13, w2), _word(w5, w6, w14, w3)
        w6, w7 = _word(w6, w7, w15, w4), _word(w7, w8, w0, w5)
        w8, w9 = _word(w8, w9, w1, w6), _word(w9, w10, w2, w7)
        w10, w11 = _word(w10, w11, w3, w8), _word(w11, w12, w4, w9)
        w12, w13 = _word(w12, w13, w5, w10), _word(w13, w14, w6, w11)
        w14, w15 = _word(w14, w15, w7, w12), _word(w15, w0, w8, w13)
        work[p], work[p + 16], work[p + 32], work[p + 48] = w0, w1, w2, w3
        work[p + 64], work[p + 80], work[p + 96], work[p + 112] = w4, w5, w6, w7
        work[p + 128], work[p + 144], work[p + 160], work[p + 176] = w8, w9, w10, w11
        work[p + 192], work[p + 208], work[p + 224], work[p + 240] = w12, w13, w14, w15


@inlined
def _sixteen_rounds(work, k):  # type: ignore[no-untyped-def]
    """Rounds `k` to `k + 15` of each lane, likewise written out."""
    for lane in range(LANES):
        s, p = lane + 128, lane + 256
        a, b, c, d = work[s], work[s + 16], work[s + 32], work[s + 48]
        e, f, g, h = work[s + 64], work[s + 80], work[s + 96], work[s + 112]
        d, h = _round(a, b, c, d, e, f, g, h, U32(work[p] + _K[k]))
        c, g = _round(h, a, b, c, d, e, f, g, U32(work[p + 16] + _K[k + 1]))
        b, f = _round(g, h, a, b, c, d, e, f, U32(work[p + 32] + _K[k + 2]))
        a, e = _round(f, g, h, a, b, c, d, e, U32(work[p + 48] + _K[k + 3]))
        h, d = _round(e, f, g, h, a, b, c, d, U32(work[p + 64] + _K[k + 4]))
        g, c = _round(d, e, f, g, h, a, b, c, U32(work[p + 80] + _K[k + 5]))
        f, b = _round(c, d, e, f, g, h, a, b, U32(work[p + 96] + _K[k + 6]))
        e, a = _round(b, c, d, e, f, g, h, a, U32(work[p + 112] + _K[k + 7]))
        d, h = _round(a, b, c, d, e, f, g, h, U32(work[p + 128] + _K[k + 8]))
        c, g = _round(h, a, b, c, d, e, f, g, U32(work[p + 144] + _K[k + 9]))
        b, f = _round(g, h, a, b, c, d, e, f, U32(work[p + 160] + _K[k + 10]))
        a, e = _round(f, g, h, a, b, c, d, e, U32(work[p + 176] + _K[k + 11]))
        h, d = _round(e, f, g, h, a, b, c, d, U32(work[p + 192] + _K[k + 12]))
        g, c = _round(d, e, f, g, h, a, b, c, U32(work[p + 208] + _K[k + 13]))
        f, b = _round(c, d, e, f, g, h, a, b, U32(work[p + 224] + _K[k + 14]))
        e, a = _round(b, c, d, e, f, g, h, a, U32(work[p + 240] + _K[k + 15]))
        work[s], work[s + 16], work[s + 32], work[s + 48] = a, b, c, d
        work[s + 64], work[s + 80], work[s + 96], work[s + 112] = e, f, g, h


@inlined
def begin(work):  # type: ignore[no-untyped-def]
    """Chaining values before the first block."""
    for row in range(DIGEST_WORDS):
        for lane in range(LANES):
            work[row * LANES + lane] = _START[row]


@kernel
def compress(work):  # type: ignore[no-untyped-def]
    """Take the block whose words are in `work` into the chaining value of each lane."""
    for place in range(DIGEST_WORDS * LANES):
        work[place + DIGEST_WORDS * LANES] = work[place]
    for k in range(0, 64, 16):
        if k:
            _schedule(work)
        _sixteen_rounds(work, k)
    for place in range(DIGEST_WORDS * LANES):
        work[place] = U32(work[place] + work[place + DIGEST_WORDS * LANES])
