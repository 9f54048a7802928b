"""Which accounts are forgotten, and that freeing their memory follows the same rule."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.state.accounts import Accounts
from monitor.state.forgetting import forgotten, remembered
from monitor.state.layout import FRESH
from monitor.wire.records import Spans

TTL = 100
NONE = np.zeros(0, np.int64)


def accounts_with(times):
    """An account for each last event time, "0", "1" and so on; None for one without a folded event."""
    accounts = Accounts()
    slots = accounts.slots(Spans.of([b"%d" % i for i in range(len(times))]), np.ones(len(times), bool))
    for slot, time in zip(slots.tolist(), times, strict=True):
        if time is not None:
            accounts.records["last_event_time"][slot], accounts.records["events"][slot] = time, 1
    return accounts


def values_of(accounts):
    keys = list(accounts)
    return dict(zip(keys, accounts.values(accounts.slots(Spans.of(keys), np.ones(len(keys), bool))), strict=True))


@pytest.mark.parametrize(("time", "gone"), [(800, False), (799, True), (1000, False), (None, True)])
def test_an_account_is_forgotten_beyond_two_times_to_live_behind_the_watermark(time, gone):
    accounts = accounts_with([time])
    assert forgotten(accounts.records[:1], 1000, TTL).tolist() == [gone]
    assert set(remembered(values_of(accounts), 1000, TTL)) == (set() if gone else {b"0"})


def test_nothing_with_an_event_is_forgotten_before_the_first_watermark():
    assert not forgotten(accounts_with([1]).records[:1], 0, TTL).any()
    assert remembered({}, 0, TTL) == {}


def test_a_value_that_cannot_be_read_is_kept_and_spoils_nothing_for_the_others():
    values = values_of(accounts_with([800, 799]))
    unreadable = {b"cut": values[b"1"][:-1], b"empty": b""}
    assert remembered(values | unreadable, 1000, TTL) == {b"0": values[b"0"]} | unreadable


@given(st.lists(st.none() | st.integers(0, 2000), max_size=30), st.integers(1, 9), st.integers(0, 2000))
def test_a_hand_that_goes_round_drops_all_that_are_forgotten_and_no_others(times, at_most, watermark):
    accounts = accounts_with(times)
    before = values_of(accounts)
    expected = remembered(before, watermark, TTL)
    dropped = []
    for _ in range(-(-len(times) // at_most)):
        dropped += accounts.sweep(at_most, watermark, TTL, NONE)
    assert sorted(dropped) == sorted(set(before) - set(expected))
    assert values_of(accounts) == expected
    assert not any(accounts.sweep(at_most, watermark, TTL, NONE) for _ in range(40))


def test_a_slot_that_a_run_touched_is_spared():
    accounts = accounts_with([1, 2, 3])
    assert accounts.sweep(10, 1000, TTL, np.array([1])) == [b"0", b"2"]
    assert list(accounts) == [b"1"]


def test_a_swept_slot_starts_fresh_with_its_next_account():
    accounts = accounts_with([1, 900])
    accounts.sweep(10, 1000, TTL, NONE)
    assert accounts.slots(Spans.of([b"new"]), np.array([True])).tolist() == [0]
    assert accounts.record(b"new").tobytes() == FRESH.tobytes()


def test_accounts_that_do_not_exist_are_swept_without_harm():
    assert Accounts().sweep(64, 1000, TTL, NONE) == []
