"""Rings of tiles: counts, sums and maxima of an account by event time. numba pieces of `kernels.fold`.

A family has `length` places from `at` on in its arrays; the tile of time t is `t // size`, its place `at + tile % length`.
Places of tiles outside `(head - length, head]` are zero once `head` has moved. Heads never move backwards.

The pieces are compiled into the kernel and not cached by themselves: numba would not see that a callee's file changed.
"""

import numpy as np

from monitor.jit import piece
from monitor.state.layout import CREDIT, DAY

SUM_LIMIT = 1 << 57
"""Largest sum a tile may hold, and largest amount: 28 tiles and 16 ring entries of it stay within int64."""

DISTINCT = (
    0, 1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 15, 17, 18, 20, 22,
    24, 26, 29, 31, 34, 37, 41, 44, 49, 54, 59, 67, 76, 89, 111, 111,
)  # fmt: skip
"""Linear counting: round(32 ln(32 / (32 - bits))) by the number of bits set; literal, so that no libm is asked. Source: Whang,
Vander-Zanden and Taylor, "A linear-time probabilistic counting algorithm" (1990)."""

_DISTINCT = np.array(DISTINCT, np.float64)
_DAY_SIZE, _DAY_LENGTH = DAY.size_ms, DAY.count
_CREDIT_SIZE, _CREDIT_LENGTH = CREDIT.size_ms, CREDIT.count


@piece
def bounds(head, tile, length, late):  # type: ignore[no-untyped-def]
    """Oldest and newest tile, both inclusive, of the window that ends at an event's `tile`; none when newest < oldest.

    A late event's own tile may hold what came after it in event time: it is left out.
    """
    newest = min(tile - 1 if late else tile, head)
    return max(tile, head) - length + 1, newest


@piece
def read(counts, sums, at, size, length, head, t, late):  # type: ignore[no-untyped-def]
    """Count and sum (int64, base minor) of the family's window at time `t`."""
    oldest, newest = bounds(head, t // size, length, late)
    place = newest % length
    count, total = np.int64(0), np.int64(0)
    for _ in range(newest - oldest + 1):
        count += np.int64(counts[at + place])
        total += sums[at + place]
        place = place - 1 if place > 0 else length - 1
    return count, total


@piece
def largest(maxima, at, size, length, head, t, late):  # type: ignore[no-untyped-def]
    """Greatest amount of the family's window at time `t`, float64 of a float32; 0 for none."""
    oldest, newest = bounds(head, t // size, length, late)
    place = newest % length
    greatest = np.float32(0)
    for _ in range(newest - oldest + 1):
        greatest = max(greatest, maxima[at + place])
        place = place - 1 if place > 0 else length - 1
    return np.float64(greatest)


@piece
def distinct(sketch, head, t, late):  # type: ignore[no-untyped-def]
    """Estimated number of distinct merchants in the day's window at time `t`, a whole float64; 111 at most."""
    oldest, newest = bounds(head, t // _DAY_SIZE, _DAY_LENGTH, late)
    place = newest % _DAY_LENGTH
    union = np.uint32(0)
    for _ in range(newest - oldest + 1):
        union |= sketch[place]
        place = place - 1 if place > 0 else _DAY_LENGTH - 1
    bits = 0
    while union != 0:
        union &= np.uint32(union - np.uint32(1))
        bits += 1
    return _DISTINCT[bits]


@piece
def has_room(sums, at, size, length, head, t, amount):  # type: ignore[no-untyped-def]
    """Whether `amount` (0..SUM_LIMIT) fits in the tile of `t`; a tile out of the ring takes nothing, so it always does."""
    tile = t // size
    if tile > head or tile <= head - length:
        return True
    return sums[at + tile % length] <= SUM_LIMIT - amount


@piece
def add(counts, sums, at, size, length, head, t, amount):  # type: ignore[no-untyped-def]
    """Count `amount` in the tile of `t`, unless that tile has left the ring. Returns the head, moved on if the tile is newer."""
    tile = t // size
    if tile <= head - length:
        return head
    for stale in range(max(head, tile - length) + 1, tile + 1):
        counts[at + stale % length] = 0
        sums[at + stale % length] = 0
    place = at + tile % length
    counts[place] += np.uint32(1)
    sums[place] += amount
    return max(head, tile)


@piece
def raise_largest(maxima, at, size, length, head, t, amount):  # type: ignore[no-untyped-def]
    """`add` for maxima, called with the head from before it."""
    tile = t // size
    if tile <= head - length:
        return
    for stale in range(max(head, tile - length) + 1, tile + 1):
        maxima[at + stale % length] = np.float32(0)
    place = at + tile % length
    maxima[place] = max(maxima[place], np.float32(amount))


@piece
def mark_merchant(sketch, head, t, merchant):  # type: ignore[no-untyped-def]
    """`add` for the day's merchant sketch, called with the head from before it. The bit is the top five of the hash; 0 is none."""
    tile = t // _DAY_SIZE
    if tile <= head - _DAY_LENGTH:
        return
    for stale in range(max(head, tile - _DAY_LENGTH) + 1, tile + 1):
        sketch[stale % _DAY_LENGTH] = np.uint32(0)
    if merchant != 0:
        sketch[tile % _DAY_LENGTH] |= np.uint32(1) << np.uint32(merchant >> np.uint32(27))


@piece
def read_credits(account, t, late):  # type: ignore[no-untyped-def]
    """Count and sum of credits in the 24 h before `t`."""
    return read(account.credit_count, account.credit_sum, 0, _CREDIT_SIZE, _CREDIT_LENGTH, account.credit_head, t, late)
