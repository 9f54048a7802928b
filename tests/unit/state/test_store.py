"""The store as Faust uses it, inside a table of a real Faust app that never starts."""

from types import SimpleNamespace

import faust
import numpy as np
import pytest
from faust.types import TP

from monitor.errors import ProtocolError
from monitor.state.accounts import Accounts
from monitor.state.store import Store
from monitor.wire.records import Spans

CHANGELOG = "app-account-state-changelog"


def holding(*keys: bytes) -> Accounts:
    accounts = Accounts()
    slots = accounts.slots(Spans.of(keys), np.ones(len(keys), np.bool_))
    accounts.records["last_offset"][slots] = [len(key) for key in keys]
    return accounts


@pytest.fixture
def table():
    app = faust.App("app", broker="runs://127.0.0.1:1", store="accounts://", autodiscover=False, web_enabled=False)
    return app.Table("account-state", key_type=bytes, value_type=bytes, default=bytes, partitions=2)


@pytest.fixture
def store(table):
    store = table.data
    assert type(store) is Store, "found by its scheme"
    store.adopt(0, holding(b"a", b"bb"), 41)
    store.adopt(1, holding(b"ccc"), -1)
    return store


def test_a_table_reads_the_records_of_all_partitions_by_account(store):
    assert sorted(store) == [b"a", b"bb", b"ccc"]
    assert len(store) == 3
    assert b"ccc" in store
    assert b"other" not in store
    assert store[b"bb"]["last_offset"] == 2
    assert store[b"ccc"]["last_offset"] == 3


def test_an_unknown_account_is_a_key_error(store):
    with pytest.raises(KeyError):
        store[b"other"]


def test_what_is_read_is_a_copy(store):
    store[b"a"]["last_offset"] = 99
    assert store[b"a"]["last_offset"] == 1


def test_a_table_shows_what_the_pipeline_does_to_the_accounts_it_was_given(store):
    accounts = holding(b"d")
    store.adopt(1, accounts, 5)
    accounts.slots(Spans.of([b"e"]), np.ones(1, np.bool_))
    assert b"e" in store
    assert b"ccc" not in store, "another adoption of a partition replaces the one before"


def test_nobody_writes_through_the_table(store):
    with pytest.raises(ProtocolError, match="transaction"):
        store[b"a"] = b"x"
    with pytest.raises(ProtocolError, match="transaction"):
        del store[b"a"]
    assert store[b"a"]["last_offset"] == 1


def test_the_persisted_offset_is_how_far_the_changelog_was_loaded(store):
    assert store.persisted_offset(TP(CHANGELOG, 0)) == 41
    assert store.persisted_offset(TP(CHANGELOG, 1)) == -1
    assert store.persisted_offset(TP(CHANGELOG, 7)) is None


def test_a_dropped_partition_is_gone_and_the_others_stay(store):
    store.retain([1, 7])
    store.retain([1])
    assert list(store) == [b"ccc"]
    assert store.persisted_offset(TP(CHANGELOG, 0)) is None


def test_clearing_forgets_every_partition(store):
    store.clear()
    assert len(store) == 0
    assert store.persisted_offset(TP(CHANGELOG, 1)) is None


def test_a_replay_by_faust_is_fatal_since_it_swallows_what_recovery_raises(store):
    ended = []
    store.fatal = ended.append
    event = SimpleNamespace(message=SimpleNamespace(topic=CHANGELOG, partition=0, offset=41))
    with pytest.raises(ProtocolError, match="offset 41") as raised:
        store.apply_changelog_batch([event], bytes, bytes)
    assert ended == [raised.value]
    assert store[b"a"]["last_offset"] == 1


def test_a_replay_of_nothing_is_no_replay(store):
    ended = []
    store.fatal = ended.append
    store.apply_changelog_batch([], bytes, bytes)
    assert ended == []


async def test_the_end_of_recovery_keeps_every_account(store):
    await store.on_recovery_completed({TP(CHANGELOG, 1)}, set())
    assert len(store) == 3
    assert await store.need_active_standby_for(TP(CHANGELOG, 0)) is False
