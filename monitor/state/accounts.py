"""The accounts of one partition: a slot each in one array of records, found by key."""

from collections.abc import Iterator, Sequence
from itertools import islice, repeat

import numpy as np
from numpy.typing import NDArray

from monitor.state.forgetting import forgotten
from monitor.state.migrations import CURRENT, Layout, read_into
from monitor.state.packing import UNIT, pack

LEAST_GROWTH, MOST_GROWTH = 1024, 4096
"""Slots added at a time: a tenth of what there is, within these bounds. Few at a time, since new slots are zeroed at once
(9 MB: some ms); moving the others costs next to nothing."""

LOAD_AT_ONCE = 4096
"""Changelog values joined and unpacked together while loading: bounds the copy at 9 MB."""

SWEEP_AT_LEAST = 64
"""Slots a run looks at for forgotten accounts; a longer run looks at one a record, so that the hand keeps up with what arrives."""

_WORD = np.dtype(np.int64)


class Accounts:
    """Account id (bytes) -> slot -> record of `layout`. Not for two threads at once: `slots` and `load` may move `records`.

    Changelog values of older layouts than `layout` are migrated as they are loaded; what is written is always `layout`.
    """

    def __init__(self, layout: Layout = CURRENT) -> None:
        self._layout = layout
        self._words_each = layout.record.itemsize // _WORD.itemsize
        self._records: NDArray[np.void] = np.zeros(0, layout.record)
        self._slots: dict[bytes, int] = {}
        self._keys: list[bytes | None] = []
        self._free: list[int] = []
        self._hand = 0

    @property
    def records(self) -> NDArray[np.void]:
        """`layout.record`[capacity]: valid until the next call of `slots`, `load` or `load_many`; never keep it across one."""
        return self._records

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, key: object) -> bool:
        return key in self._slots

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._slots)

    def record(self, key: bytes) -> np.void | None:
        """A copy of an account's record; None for an unknown account."""
        slot = self._slots.get(key)
        return None if slot is None else self._records[slot : slot + 1].copy()[0]

    def slots(self, keys: Sequence[bytes | None], admitted: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The slot of each of `n` keys, int64[n]; -1 where not `admitted` (bool[n]). Unknown accounts start fresh."""
        found = self._find(keys)
        found[~admitted] = -1
        unknown = np.flatnonzero(admitted & (found < 0))
        if unknown.size:
            new = dict.fromkeys(key for key in map(keys.__getitem__, unknown.tolist()) if key is not None)
            self._write(self._create(list(new)), self._layout.fresh.view(_WORD))
            found[unknown] = [self._slots[keys[row]] for row in unknown.tolist()]  # type: ignore[index]
        return found

    def keys_of(self, slots: NDArray[np.int64]) -> list[bytes]:
        """The account ids in `slots`, all of them taken: the keys of the changelog records `values` returns."""
        return [self._keys[slot] for slot in slots.tolist()]

    def values(self, slots: NDArray[np.int64]) -> list[bytes]:
        """The changelog value of each record in `slots`: header and packed record, equal bytes for equal records."""
        return pack(self._records.view(UNIT).reshape(-1, self._layout.units), slots, self._layout.header)

    def sweep(self, at_most: int, watermark_ms: int, idle_ttl_ms: int, spared: NDArray[np.int64]) -> list[bytes]:
        """Look at the next `at_most` slots and drop the accounts in them that are forgotten, but for the slots `spared`.

        Returns the ids of the dropped. A hand goes round the slots: each is looked at once before any is again. Their slots are free at once.
        """
        capacity = len(self._keys)
        first, last = self._hand, min(self._hand + at_most, capacity)
        self._hand = last if last < capacity else 0
        old = forgotten(self._records[first:last], watermark_ms, idle_ttl_ms)
        here = spared[(spared >= first) & (spared < last)]
        old[here - first] = False
        gone = [key for key in map(self._keys.__getitem__, (first + np.flatnonzero(old)).tolist()) if key is not None]
        for key in gone:
            self._drop(key)
        return gone

    def load(self, key: bytes, value: bytes | None) -> None:
        """Apply one changelog record; a value of None drops the account. Raises `LayoutError`."""
        self.load_many([key], [value])

    def load_many(self, keys: Sequence[bytes], values: Sequence[bytes | None]) -> None:
        """Apply changelog records in their order, in bulk. Raises `LayoutError`; the accounts are of no use then."""
        latest = dict(zip(keys, values, strict=True))
        for key in [key for key, value in latest.items() if value is None]:
            del latest[key]
            self._drop(key)
        rest = iter(latest.items())
        while part := list(islice(rest, LOAD_AT_ONCE)):
            self._load_part([key for key, _ in part], [value for _, value in part if value is not None])

    def _load_part(self, keys: list[bytes], values: list[bytes]) -> None:
        slots = self._find(keys)
        unknown = np.flatnonzero(slots < 0)
        slots[unknown] = self._create([keys[row] for row in unknown.tolist()])
        read_into(self._records, slots, keys, values, self._layout)

    def _words(self) -> NDArray[np.int64]:
        """The records as int64[capacity, words]: whole records are copied many times faster than field by field."""
        return self._records.view(_WORD).reshape(-1, self._words_each)

    def _write(self, slots: NDArray[np.int64], words: NDArray[np.int64]) -> None:
        """Whole records. The slots are made before this takes its view: making them may move the records."""
        self._words()[slots] = words

    def _find(self, keys: Sequence[bytes | None]) -> NDArray[np.int64]:
        return np.fromiter(map(self._slots.get, keys, repeat(-1)), np.int64, len(keys))  # type: ignore[arg-type]

    def _create(self, keys: list[bytes]) -> NDArray[np.int64]:
        """Slots for keys that are distinct and unknown. What the slots hold is for the caller to write."""
        reused = [self._free.pop() for _ in range(min(len(self._free), len(keys)))]
        for slot, key in zip(reused, keys, strict=False):
            self._keys[slot] = key
        first = len(self._keys)
        self._keys.extend(keys[len(reused) :])
        self._grow(len(self._keys))
        made = [*reused, *range(first, len(self._keys))]
        self._slots.update(zip(keys, made, strict=True))
        return np.array(made, np.int64)

    def _grow(self, needed: int) -> None:
        capacity = self._records.size
        if needed > capacity:
            capacity = max(needed, capacity + min(max(capacity // 10, LEAST_GROWTH), MOST_GROWTH))
            # In place: the kernel moves pages, where a new array would need both at once.
            self._records.resize(capacity, refcheck=False)

    def _drop(self, key: bytes) -> None:
        slot = self._slots.pop(key, None)
        if slot is not None:
            self._keys[slot] = None
            self._free.append(slot)
