"""SipHash of strings under a secret key: short, fixed-size stand-ins for ids that nobody outside can make collide.

Algorithm: Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012), 64-bit output. Strings use SipHash-1-3, as
CPython and Rust do for their own tables; the rounds are parameters so that the published vectors (of 2-4) test this very code.
"""

from dataclasses import dataclass

import numpy as np

from monitor.jit import inlined, kernel

U64 = np.uint64

_INIT0, _INIT1 = U64(0x736F6D6570736575), U64(0x646F72616E646F6D)
_INIT2, _INIT3 = U64(0x6C7967656E657261), U64(0x7465646279746573)
NOT_ASCII = U64(0x8080808080808080)
"""The top bit of each byte of a word: set in none, they are ASCII."""

_TEXT_OF_LAST = U64(0x00FFFFFFFFFFFFFF)
_ZERO, _ONE, _SEVEN, _EIGHT, _BITS = U64(0), U64(1), U64(7), U64(8), U64(64)


@dataclass(frozen=True, slots=True)
class HashKey:
    """The 128-bit key of all string hashes. The halves are those of the SipHash paper: little-endian words."""

    k0: np.uint64
    k1: np.uint64

    def __repr__(self) -> str:
        return "HashKey(secret)"

    @classmethod
    def parse(cls, text: str) -> "HashKey":
        """The key written as 32 hex digits (setting `hash_key`). Raises ValueError for anything else."""
        try:
            raw = bytes.fromhex(text)
        except ValueError:
            raw = b""
        if len(raw) != 16 or len(text) != 32:
            raise ValueError("hash_key must be 32 hex digits, for example from `openssl rand -hex 16`")
        return cls(U64(int.from_bytes(raw[:8], "little")), U64(int.from_bytes(raw[8:], "little")))


@inlined
def _rotate(word, bits):  # type: ignore[no-untyped-def]
    return (word << bits) | (word >> (_BITS - bits))


@inlined
def _round(a, b, c, d):  # type: ignore[no-untyped-def]
    a += b
    b = _rotate(b, U64(13)) ^ a
    a = _rotate(a, U64(32))
    c += d
    d = _rotate(d, U64(16)) ^ c
    a += d
    d = _rotate(d, U64(21)) ^ a
    c += b
    b = _rotate(b, U64(17)) ^ c
    c = _rotate(c, U64(32))
    return a, b, c, d


@inlined
def load_word(data, at):  # type: ignore[no-untyped-def]
    """Eight bytes of `data` from `at` (uint64: no negative indices to wrap) as a little-endian word. Unchecked."""
    word = U64(data[at])
    word |= U64(data[at + U64(1)]) << U64(8)
    word |= U64(data[at + U64(2)]) << U64(16)
    word |= U64(data[at + U64(3)]) << U64(24)
    word |= U64(data[at + U64(4)]) << U64(32)
    word |= U64(data[at + U64(5)]) << U64(40)
    word |= U64(data[at + U64(6)]) << U64(48)
    return word | (U64(data[at + U64(7)]) << U64(56))


@inlined
def _last_word(data, end, size):  # type: ignore[no-untyped-def]
    """The last `size % 8` bytes before `end`, low, and the size modulo 256 in the top byte: SipHash's padding."""
    word, left = size << U64(56), size & _SEVEN
    if left == _ZERO:
        return word
    if end >= _EIGHT:  # one load of eight bytes that end there; those before the span are shifted out
        return word | (load_word(data, end - _EIGHT) >> (_BITS - left * _EIGHT))
    for place in range(left):
        word |= U64(data[end - left + U64(place)]) << (U64(place) * _EIGHT)
    return word


@inlined
def _siphash(data, start, length, k0, k1, compress, finish):  # type: ignore[no-untyped-def]
    """(SipHash-`compress`-`finish` of the span, all its words or-ed): uint64. The span must lie inside `data`."""
    a, b, c, d = k0 ^ _INIT0, k1 ^ _INIT1, k0 ^ _INIT2, k1 ^ _INIT3
    at, size = U64(start), U64(length)
    end, whole, seen = at + size, at + (size & ~_SEVEN), _ZERO
    while at < whole:
        word = load_word(data, at)
        seen |= word
        d ^= word
        for _ in range(compress):
            a, b, c, d = _round(a, b, c, d)
        a ^= word
        at += _EIGHT
    word = _last_word(data, end, size)
    seen |= word & _TEXT_OF_LAST
    d ^= word
    for _ in range(compress):
        a, b, c, d = _round(a, b, c, d)
    a ^= word
    c ^= U64(0xFF)
    for _ in range(finish):
        a, b, c, d = _round(a, b, c, d)
    return a ^ b ^ c ^ d, seen


@kernel
def siphash24(data, start, length, k0, k1):  # type: ignore[no-untyped-def]
    """SipHash-2-4, whose vectors are published: for tests of the code above."""
    return _siphash(data, start, length, k0, k1, 2, 4)[0]


@kernel
def siphash13_ascii(data, start, length, k0, k1):  # type: ignore[no-untyped-def]
    """(`siphash13` of the span, whether it is ASCII): one pass tells both."""
    digest, seen = _siphash(data, start, length, k0, k1, 1, 3)
    return (digest if digest != _ZERO else _ONE), seen & NOT_ASCII == _ZERO


@kernel
def siphash13(data, start, length, k0, k1):  # type: ignore[no-untyped-def]
    """SipHash-1-3 of `data[start : start + length]` (uint8), uint64; 0 stands for null, so a hash of 0 becomes 1."""
    return siphash13_ascii(data, start, length, k0, k1)[0]


def hash_bytes(value: bytes, key: HashKey) -> int:
    """`siphash13` of one value: for code outside the hot path."""
    return int(siphash13(np.frombuffer(value, np.uint8), 0, len(value), key.k0, key.k1))


@kernel
def hash_rows(data, rows, starts, lengths, hashes, k0, k1):  # type: ignore[no-untyped-def]
    """Fill `hashes[:, rows]` from the spans (`starts`, `lengths`: [fields, n]) of `data`; -1 is null and hashes to 0."""
    for field in range(starts.shape[0]):
        for row in rows:
            if lengths[field, row] < 0:
                hashes[field, row] = _ZERO
            else:
                hashes[field, row] = siphash13(data, starts[field, row], lengths[field, row], k0, k1)
