"""Avro's binary encoding of the few types that blocks and alerts are made of, for what is written once a run or once an alert.

fastavro is the reference, and what every reader uses; it looks at the schema again for each record, which costs more than the bytes.
"""

from collections.abc import Sequence
from functools import lru_cache

_SHORT = [bytes([number]) for number in range(0x80)]


def long(number: int) -> bytes:
    """An int or a long: zigzag, then seven bits a byte, the lowest first. Raises OverflowError beyond 64 bits."""
    left = number << 1 if number >= 0 else ~(number << 1)
    if left < 0x80:
        return _SHORT[left]
    if left < 0x4000:
        return bytes((left & 0x7F | 0x80, left >> 7))
    if left >> 64:
        raise OverflowError(f"{number} is no Avro long: it has more than 64 bits")
    out = bytearray()
    while left >= 0x80:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    out.append(left)
    return bytes(out)


def text(string: str) -> bytes:
    """A string, in UTF-8."""
    encoded = string.encode()
    return long(len(encoded)) + encoded


def array(items: Sequence[bytes]) -> bytes:
    """An array of encoded items, or a map of encoded pairs: one block, then none."""
    return b"".join((long(len(items)), *items, _SHORT[0])) if items else _SHORT[0]


same_text = lru_cache(4096)(text)
"""`text` of what comes again and again: names, versions, sentences without numbers. Never of what a transaction holds."""
