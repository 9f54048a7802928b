"""Slots, growth, and the changelog's bytes there and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import LayoutError
from monitor.state.accounts import LEAST_GROWTH, LOAD_AT_ONCE, Accounts
from monitor.state.layout import ADDED_BY_3, FRESH, VERSION
from monitor.state.migrations import HEADER, records_of
from monitor.state.packing import UNIT, pack
from monitor.wire.records import Spans

BYTES_AN_ACCOUNT = 2560


def slots_of(accounts, *keys):
    return accounts.slots(Spans.of(keys), np.ones(len(keys), bool))


def value_of(last_offset):
    """A changelog value whose record is told apart by its watermark."""
    record = FRESH.copy()
    record["last_offset"] = last_offset
    return pack(record.view(UNIT).reshape(1, -1), np.zeros(1, np.int64), HEADER)[0]


def value_of_version_1(last_offset):
    """The same record as a program of layout 1 wrote it."""
    record = FRESH.copy()
    record["last_offset"] = last_offset
    return b"\1".ljust(8, b"\0") + record.tobytes()[:-ADDED_BY_3]


def contents(accounts):
    return {key: accounts.record(key).tobytes() for key in accounts}


def test_an_account_keeps_its_slot_and_unknown_ones_start_fresh():
    accounts = Accounts()
    first = slots_of(accounts, b"a", b"b", b"a")
    assert first.tolist() == [0, 1, 0]
    assert slots_of(accounts, b"b", b"c").tolist() == [1, 2]
    assert all(accounts.record(key).tobytes() == FRESH.tobytes() for key in (b"a", b"b", b"c"))


def test_a_record_that_was_not_admitted_has_no_slot_and_makes_no_account():
    accounts = Accounts()
    slots_of(accounts, b"known")
    slots = accounts.slots(Spans.of([None, b"known", b"new", b"known"]), np.array([False, False, False, True]))
    assert slots.tolist() == [-1, -1, -1, 0]
    assert list(accounts) == [b"known"]


def test_an_unknown_account_has_no_record():
    accounts = Accounts()
    assert accounts.record(b"a") is None
    assert b"a" not in accounts


def test_a_record_handed_out_is_a_copy():
    accounts = Accounts()
    slots_of(accounts, b"a")
    accounts.record(b"a")["events"] = 7
    assert accounts.record(b"a")["events"] == 0


def test_records_survive_growth():
    accounts = Accounts()
    for number in range(5):
        keys = [b"%d-%d" % (number, i) for i in range(1500)]
        slots = slots_of(accounts, *keys)
        accounts.records["events"][slots] = np.arange(1500) + 10_000 * number
    assert [int(accounts.record(b"%d-1499" % n)["events"]) for n in range(5)] == [1499 + 10_000 * n for n in range(5)]


def test_spare_slots_and_the_index_keep_within_the_memory_an_account_may_cost():
    accounts = Accounts()
    worst = 0.0
    for start in range(0, 60_000, 500):
        slots_of(accounts, *(b"account-%08d" % i for i in range(start, start + 500)))
        n = len(accounts)
        if n >= 12 * LEAST_GROWTH:
            index = sum(each.nbytes for each in vars(accounts._index).values() if isinstance(each, np.ndarray))
            worst = max(worst, (accounts.records.nbytes + index) / n)
    assert 0 < worst <= BYTES_AN_ACCOUNT


def test_a_value_is_the_header_then_the_packed_record():
    accounts = Accounts()
    slots = slots_of(accounts, b"a", b"b", b"c")
    accounts.records["events"][slots] = [1, 2, 3]
    values, keys = accounts.values(slots[[2, 0]]), accounts.keys_of(slots[[2, 0]])
    assert keys == [b"c", b"a"]
    assert values == pack(accounts.records.view(UNIT).reshape(len(accounts.records), -1), np.array([2, 0]), HEADER)
    assert all(value.startswith(HEADER) for value in values)
    assert records_of(keys, values)["events"].tolist() == [3, 1]
    assert accounts.values(slots[:0]) == []


changelogs = st.lists(
    st.tuples(st.sampled_from([b"%d" % i for i in range(12)]), st.none() | st.integers(0, 99)), max_size=60
)


@given(changelogs, changelogs)
def test_loading_in_bulk_equals_loading_one_by_one(earlier, later):
    one_by_one, in_bulk = Accounts(), Accounts()
    for changelog in (earlier, later):
        values = [None if offset is None else value_of(offset) for _, offset in changelog]
        for (key, _), value in zip(changelog, values, strict=True):
            one_by_one.load(key, value)
        in_bulk.load_many([key for key, _ in changelog], values)
        assert contents(in_bulk) == contents(one_by_one)


@given(changelogs, st.randoms())
def test_values_of_the_version_before_lie_among_those_of_today(changelog, random):
    both, today = Accounts(), Accounts()
    for accounts, writers in ((both, [value_of, value_of_version_1]), (today, [value_of])):
        values = [None if offset is None else random.choice(writers)(offset) for _, offset in changelog]
        accounts.load_many([key for key, _ in changelog], values)
    assert contents(both) == contents(today)


@given(changelogs)
def test_what_values_writes_load_reads_bit_for_bit(changelog):
    written, read = Accounts(), Accounts()
    written.load_many([key for key, _ in changelog], [None if o is None else value_of(o) for _, o in changelog])
    keys = list(written)
    read.load_many(keys, written.values(slots_of(written, *keys)))
    assert contents(read) == contents(written)


def test_more_accounts_than_are_copied_at_once_are_all_loaded():
    accounts = Accounts()
    count = 2 * LOAD_AT_ONCE + 1
    keys = [b"%d" % i for i in range(count)]
    accounts.load_many(keys, [value_of(i) for i in range(count)])
    assert [int(accounts.record(key)["last_offset"]) for key in keys] == list(range(count))


def test_a_slot_that_was_given_back_starts_fresh_with_its_next_account():
    accounts = Accounts()
    accounts.load_many([b"a", b"b"], [value_of(5), value_of(6)])
    accounts.load(b"a", None)
    accounts.load(b"never there", None)
    assert len(accounts) == 1
    assert slots_of(accounts, b"c", b"b").tolist() == [0, 1]
    assert accounts.record(b"c").tobytes() == FRESH.tobytes()


@pytest.mark.parametrize("in_bulk", [False, True])
def test_a_newer_layout_is_refused_with_its_version_and_the_fix(in_bulk):
    value = (VERSION + 1).to_bytes(2, "little") + value_of(1)[2:]
    accounts = Accounts()
    load = (
        (lambda: accounts.load_many([b"b", b"a"], [value_of(1), value]))
        if in_bulk
        else lambda: accounts.load(b"a", value)
    )
    with pytest.raises(LayoutError, match=rf"'a'.*version {VERSION + 1} is newer than {VERSION}.*run the version"):
        load()
