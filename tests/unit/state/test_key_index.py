"""The key index gives the slots that a dict, a list and a stack of free slots would give."""

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from monitor.state.key_index import UNKNOWN, KeyIndex
from monitor.wire.records import Spans

KEY = st.one_of(st.none(), st.sampled_from([b"", b"a", b"b", b"ab", b"account-1"]), st.binary(max_size=20))


class AgainstADict(RuleBasedStateMachine):
    """Every operation on both."""

    def __init__(self):
        super().__init__()
        self.index, self.slots, self.keys, self.free = KeyIndex(), {}, [], []

    def reference(self, key):
        if key not in self.slots:
            slot = self.free.pop() if self.free else len(self.keys)
            if slot == len(self.keys):
                self.keys.append(None)
            self.keys[slot] = key
            self.slots[key] = slot
        return self.slots[key]

    @rule(keys=st.lists(st.tuples(KEY, st.booleans()), max_size=60))
    def look_up(self, keys):
        before = dict(self.slots)
        found, given = self.index.slots(Spans.of([key for key, _ in keys]), np.array([w for _, w in keys], bool))
        expected = [self.reference(key) if wanted and key is not None else UNKNOWN for key, wanted in keys]
        assert found.tolist() == expected
        assert given.tolist() == [slot for key, slot in self.slots.items() if key not in before]

    @rule(keys=st.lists(KEY, max_size=20))
    def find(self, keys):
        assert self.index.find(Spans.of(keys)).tolist() == [self.slots.get(key, UNKNOWN) for key in keys]

    @rule(data=st.data())
    def drop(self, data):
        chosen = data.draw(st.lists(st.sampled_from(sorted(self.slots)), unique=True)) if self.slots else []
        self.index.drop(np.array([self.slots[key] for key in chosen], np.int64))
        for key in chosen:
            slot = self.slots.pop(key)
            self.keys[slot] = None
            self.free.append(slot)

    @invariant()
    def both_hold_the_same(self):
        assert len(self.index) == len(self.slots)
        assert list(self.index) == [key for key in self.keys if key is not None]
        assert self.index.is_taken(0, self.index.high).tolist() == [key is not None for key in self.keys]


TestAgainstADict = AgainstADict.TestCase
TestAgainstADict.settings = settings(max_examples=60, stateful_step_count=20)


@pytest.mark.parametrize("count", [1, 31, 32, 33, 5_000])
def test_as_many_keys_as_there_are_find_their_slots_again(count):
    index, keys = KeyIndex(), Spans.of([b"%d" % n for n in range(count)])
    found, given = index.slots(keys)
    assert found.tolist() == given.tolist() == list(range(count))
    assert index.find(keys).tolist() == list(range(count))
    assert index.keys(found[::-1]) == [b"%d" % n for n in reversed(range(count))]


def test_keys_that_come_and_go_leave_no_waste_behind():
    index = KeyIndex()
    for turn in range(200):
        slots, _ = index.slots(Spans.of([b"%d-%d" % (turn, n) for n in range(50)]))
        index.drop(slots)
    assert len(index) == 0
    assert index.high == 50
    assert index._arena.size < 10_000
    assert index._table.size <= 256
