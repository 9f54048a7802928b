"""Account ids to slots: an open-addressing hash table in arrays, so that a run's keys are looked up where they lie.

Python's dict took 140 bytes an account and an object a key of each run. This one takes 46 for ids of ten, and a run's lookups are one call. Linear
probing with deletion by shifting back (Knuth, "The Art of Computer Programming", vol. 3, 6.4, algorithm R); the hash is SipHash-1-3 under a key that
each index draws for itself: account ids come from outside. Which slot an account gets depends on the order of arrival alone, not on hashes.
"""

import secrets
from collections.abc import Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from monitor.jit import inlined, kernel
from monitor.wire.hashing import siphash13
from monitor.wire.records import Spans

_Cell = TypeVar("_Cell", bound=np.generic)

UNKNOWN = -1
_FREE = -1
_HIGH, _USED, _ARENA, _FREED, _WASTE = 0, 1, 2, 3, 4
LEAST_TABLE, LEAST_ARENA = 64, 1024


class KeyIndex:
    """Keys (bytes) of at most 2**31 accounts, each with a slot from 0 on; slots that were dropped are given out again, newest first."""

    def __init__(self) -> None:
        self._k0, self._k1 = (np.uint64(secrets.randbits(64)) for _ in range(2))
        self._table = np.full(LEAST_TABLE, UNKNOWN, np.int32)
        self._arena = np.zeros(LEAST_ARENA, np.uint8)
        self._hashes = np.zeros(0, np.uint64)
        self._at = np.zeros(0, np.int64)
        self._lengths = np.zeros(0, np.int32)
        self._freed = np.zeros(0, np.int32)
        self._marks = np.zeros(5, np.int64)

    @property
    def high(self) -> int:
        """Slots are below this."""
        return int(self._marks[_HIGH])

    def __len__(self) -> int:
        return int(self._marks[_USED])

    def __iter__(self) -> Iterator[bytes]:
        """The keys, by slot."""
        return iter(self.keys(np.flatnonzero(self._lengths[: self.high] != _FREE)))

    def find(self, keys: Spans, wanted: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """The slot of each of `n` keys, int64[n]; `UNKNOWN` for others, for null and where not `wanted` (bool[n])."""
        found = np.empty(len(keys), np.int64)
        wanted = np.ones(len(keys), np.bool_) if wanted is None else wanted
        _find(
            keys.data, keys.starts, keys.lengths, wanted, self._table, self._hashes, self._at, self._lengths, self._arena,
            self._k0, self._k1, found,
        )  # fmt: skip
        return found

    def slots(
        self, keys: Spans, wanted: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """As `find`, but unknown keys get slots: `(slots int64[n], those given out int64[m])`, m distinct slots in order of appearance."""
        wanted = np.ones(len(keys), np.bool_) if wanted is None else wanted
        found = self.find(keys, wanted)
        new = np.flatnonzero((found == UNKNOWN) & wanted & (keys.lengths >= 0))
        given = np.empty(new.size, np.int64)
        if not new.size:
            return found, given
        self._make_room(new.size, int(keys.lengths[new].sum()))
        count = _add(
            keys.data, keys.starts, keys.lengths, new, self._table, self._hashes, self._at, self._lengths, self._arena,
            self._freed, self._marks, self._k0, self._k1, found, given,
        )  # fmt: skip
        return found, given[:count]

    def keys(self, slots: NDArray[np.int64]) -> list[bytes]:
        """The keys in `slots`, all of them taken."""
        lengths = self._lengths[slots].astype(np.int64)
        ends = np.cumsum(lengths)
        out = np.empty(int(ends[-1]) if ends.size else 0, np.uint8)
        _gather(self._arena, self._at, slots, lengths, out)
        raw = out.tobytes()
        return [raw[end - size : end] for end, size in zip(ends.tolist(), lengths.tolist(), strict=True)]

    def is_taken(self, first: int, last: int) -> NDArray[np.bool_]:
        """Whether each of the slots `first` to `last - 1` has a key."""
        taken: NDArray[np.bool_] = self._lengths[first:last] != _FREE
        return taken

    def drop(self, slots: NDArray[np.int64]) -> None:
        """Forget the keys in `slots`, all of them taken and distinct."""
        if slots.size:
            _drop(self._table, self._hashes, self._lengths, self._freed, self._marks, slots)

    def _make_room(self, keys: int, key_bytes: int) -> None:
        high, used = self.high + keys, len(self) + keys
        if high > len(self._at):
            capacity = max(high, len(self._at) * 5 // 4, LEAST_TABLE // 2)
            self._hashes, self._at = _longer(self._hashes, capacity), _longer(self._at, capacity)
            self._lengths, self._freed = _longer(self._lengths, capacity), _longer(self._freed, capacity)
        if int(self._marks[_ARENA]) + key_bytes > len(self._arena):
            self._pack(key_bytes)
        if 2 * used > len(self._table):
            self._table = np.full(1 << (2 * used - 1).bit_length(), UNKNOWN, np.int32)
            _rebuild(self._table, self._hashes, self._lengths, self.high)

    def _pack(self, more: int) -> None:
        """A new arena without what was dropped, and with room for `more` bytes and a quarter."""
        kept = int(self._marks[_ARENA] - self._marks[_WASTE])
        arena = np.empty(max((kept + more) * 5 // 4, LEAST_ARENA), np.uint8)
        _move(self._arena, self._at, self._lengths, self.high, arena)
        self._arena = arena
        self._marks[_ARENA], self._marks[_WASTE] = kept, 0


def warm_up() -> None:
    """Every kernel once: most are needed when an index grows, in the middle of a run."""
    index = KeyIndex()
    keys = Spans.of([b"%d" % n for n in range(LEAST_TABLE)])
    slots, _ = index.slots(keys)
    index.drop(slots[:1])
    index._pack(0)
    index.keys(slots[1:2])


def _longer(array: NDArray[_Cell], size: int) -> NDArray[_Cell]:
    longer = np.zeros(size, array.dtype)
    longer[: len(array)] = array
    return longer


@inlined
def _place_of(data, start, length, digest, table, hashes, at, lengths, arena):  # type: ignore[no-untyped-def]
    """Where in `table` the key is, or the empty place where it would go."""
    mask = np.int64(table.shape[0] - 1)
    place = np.int64(digest & np.uint64(mask))
    while True:
        slot = table[place]
        if slot == UNKNOWN:
            return place
        if hashes[slot] == digest and lengths[slot] == length:
            begin, same = at[slot], True
            for byte in range(length):
                if arena[begin + byte] != data[start + byte]:
                    same = False
                    break
            if same:
                return place
        place = (place + 1) & mask


@kernel
def _find(data, starts, key_lengths, wanted, table, hashes, at, lengths, arena, k0, k1, found):  # type: ignore[no-untyped-def]
    """Fill `found` int64[n]."""
    for row in range(starts.shape[0]):
        found[row] = UNKNOWN
        if wanted[row] and key_lengths[row] >= 0:
            digest = siphash13(data, starts[row], key_lengths[row], k0, k1)
            found[row] = table[
                _place_of(data, starts[row], key_lengths[row], digest, table, hashes, at, lengths, arena)
            ]


@kernel
def _add(data, starts, key_lengths, rows, table, hashes, at, lengths, arena, freed, marks, k0, k1, found, given):  # type: ignore[no-untyped-def]
    """Give the keys of `rows` slots, in `found` and, once each, in `given`; how many those are. There is room for all of them."""
    count = 0
    for row in rows:
        start, length = starts[row], key_lengths[row]
        digest = siphash13(data, start, length, k0, k1)
        place = _place_of(data, start, length, digest, table, hashes, at, lengths, arena)
        if table[place] == UNKNOWN:
            if marks[_FREED] > 0:
                marks[_FREED] -= 1
                slot = np.int64(freed[marks[_FREED]])
            else:
                slot = marks[_HIGH]
                marks[_HIGH] += 1
            end = marks[_ARENA]
            for byte in range(length):
                arena[end + byte] = data[start + byte]
            hashes[slot], at[slot], lengths[slot] = digest, end, length
            marks[_ARENA] += length
            marks[_USED] += 1
            table[place] = slot
            given[count] = slot
            count += 1
        found[row] = table[place]
    return count


@kernel
def _drop(table, hashes, lengths, freed, marks, slots):  # type: ignore[no-untyped-def]
    """Take the slots out of `table`, moving back what had to go around them."""
    mask = np.int64(table.shape[0] - 1)
    for slot in slots:
        hole = np.int64(hashes[slot] & np.uint64(mask))
        while table[hole] != slot:
            hole = (hole + 1) & mask
        place = hole
        while True:
            place = (place + 1) & mask
            other = table[place]
            if other == UNKNOWN:
                break
            home = np.int64(hashes[other] & np.uint64(mask))
            if ((place - home) & mask) >= ((place - hole) & mask):
                table[hole] = other
                hole = place
        table[hole] = UNKNOWN
        marks[_WASTE] += lengths[slot]
        lengths[slot] = _FREE
        freed[marks[_FREED]] = slot
        marks[_FREED] += 1
        marks[_USED] -= 1


@kernel
def _rebuild(table, hashes, lengths, high):  # type: ignore[no-untyped-def]
    """Fill an empty `table`."""
    mask = np.int64(table.shape[0] - 1)
    for slot in range(high):
        if lengths[slot] != _FREE:
            place = np.int64(hashes[slot] & np.uint64(mask))
            while table[place] != UNKNOWN:
                place = (place + 1) & mask
            table[place] = slot


@kernel
def _move(old, at, lengths, high, new):  # type: ignore[no-untyped-def]
    """Copy the keys one behind the other into `new`, and say so in `at`."""
    end = np.int64(0)
    for slot in range(high):
        if lengths[slot] != _FREE:
            for byte in range(lengths[slot]):
                new[end + byte] = old[at[slot] + byte]
            at[slot] = end
            end += lengths[slot]


@kernel
def _gather(arena, at, slots, lengths, out):  # type: ignore[no-untyped-def]
    """The keys of `slots` one behind the other into `out`."""
    end = 0
    for row in range(slots.shape[0]):
        for byte in range(lengths[row]):
            out[end + byte] = arena[at[slots[row]] + byte]
        end += lengths[row]
