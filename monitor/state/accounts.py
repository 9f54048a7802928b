"""The accounts of one partition: a slot each in one array of records, found by key."""

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from monitor.state.forgetting import forgotten
from monitor.state.key_index import UNKNOWN, KeyIndex
from monitor.state.migrations import CURRENT, Layout, read_into
from monitor.state.packing import UNIT, pack
from monitor.wire.records import Spans

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
        self._index = KeyIndex()
        self._hand = 0

    @property
    def records(self) -> NDArray[np.void]:
        """`layout.record`[capacity]: valid until the next call of `slots`, `load` or `load_many`; never keep it across one."""
        return self._records

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, bytes) and self.slot(key) != UNKNOWN

    def __iter__(self) -> Iterator[bytes]:
        """The account ids, by slot."""
        return iter(self._index)

    def slot(self, key: bytes) -> int:
        """The slot of one account, `UNKNOWN` where there is none."""
        return int(self._index.find(Spans.of([key]))[0])

    def record(self, key: bytes) -> np.void | None:
        """A copy of an account's record; None for an unknown account."""
        slot = self.slot(key)
        return None if slot == UNKNOWN else self._records[slot : slot + 1].copy()[0]

    def slots(self, keys: Spans, admitted: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The slot of each of `n` keys, int64[n]; `UNKNOWN` where not `admitted` (bool[n]). Unknown accounts start fresh."""
        found, given = self._index.slots(keys, admitted)
        if given.size:
            self._grow(self._index.high)
            self._words()[given] = self._layout.fresh.view(_WORD)
        return found

    def taken(self) -> NDArray[np.int64]:
        """The slots of all accounts."""
        return np.flatnonzero(self._index.is_taken(0, self._index.high))

    def keys_of(self, slots: NDArray[np.int64]) -> list[bytes]:
        """The account ids in `slots`, all of them taken: the keys of the changelog records `values` returns."""
        return self._index.keys(slots)

    def values(self, slots: NDArray[np.int64]) -> list[bytes]:
        """The changelog value of each record in `slots`: header and packed record, equal bytes for equal records."""
        return pack(self._records.view(UNIT).reshape(-1, self._layout.units), slots, self._layout.header)

    def sweep(self, at_most: int, watermark_ms: int, idle_ttl_ms: int, spared: NDArray[np.int64]) -> list[bytes]:
        """Look at the next `at_most` slots and drop the accounts in them that are forgotten, but for the slots `spared`.

        Returns the ids of the dropped. A hand goes round the slots: each is looked at once before any is again. Their slots are free at once.
        """
        capacity = self._index.high
        first, last = self._hand, min(self._hand + at_most, capacity)
        self._hand = last if last < capacity else 0
        old = forgotten(self._records[first:last], watermark_ms, idle_ttl_ms)
        here = spared[(spared >= first) & (spared < last)]
        old[here - first] = False
        gone = first + np.flatnonzero(old & self._index.is_taken(first, last))
        keys = self._index.keys(gone)
        self._index.drop(gone)
        return keys

    def load(self, key: bytes, value: bytes | None) -> None:
        """Apply one changelog record; a value of None drops the account. Raises `LayoutError`."""
        self.load_many([key], [value])

    def load_many(self, keys: Sequence[bytes], values: Sequence[bytes | None]) -> None:
        """Apply changelog records in their order, in bulk. Raises `LayoutError`; the accounts are of no use then."""
        latest = dict(zip(keys, values, strict=True))
        gone = [key for key, value in latest.items() if value is None]
        if gone:
            slots = self._index.find(Spans.of(gone))
            self._index.drop(slots[slots != UNKNOWN])
            for key in gone:
                del latest[key]
        rest = iter(latest.items())
        while part := list(islice(rest, LOAD_AT_ONCE)):
            self._load_part([key for key, _ in part], [value for _, value in part if value is not None])

    def _load_part(self, keys: list[bytes], values: list[bytes]) -> None:
        slots, _ = self._index.slots(Spans.of(keys))
        self._grow(self._index.high)
        read_into(self._records, slots, keys, values, self._layout)

    def _words(self) -> NDArray[np.int64]:
        """The records as int64[capacity, words]: whole records are copied many times faster than field by field."""
        return self._records.view(_WORD).reshape(-1, self._words_each)

    def _grow(self, needed: int) -> None:
        capacity = self._records.size
        if needed > capacity:
            capacity = max(needed, capacity + min(max(capacity // 10, LEAST_GROWTH), MOST_GROWTH))
            # In place: the kernel moves pages, where a new array would need both at once.
            self._records.resize(capacity, refcheck=False)
