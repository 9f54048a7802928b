"""Changelog values of other versions, cut or foreign."""

import pytest

from monitor.errors import LayoutError
from monitor.state.accounts import Accounts
from monitor.state.layout import ACCOUNT, FRESH, VERSION
from monitor.state.migrations import HEADER, MIGRATIONS, record_bytes


def test_a_value_of_this_version_is_its_record():
    assert record_bytes(b"a", HEADER + FRESH.tobytes()) == FRESH.tobytes()


@pytest.mark.parametrize("cut", [1, 8, ACCOUNT.itemsize])
def test_a_cut_record_is_refused_with_both_lengths(cut):
    with pytest.raises(LayoutError, match=rf"'a': {ACCOUNT.itemsize - cut} bytes.*has {ACCOUNT.itemsize}"):
        record_bytes(b"a", (HEADER + FRESH.tobytes())[:-cut])


@pytest.mark.parametrize("value", [b"", b"\x01", b"\x01\x00\x00", b'{"json": 1}' + bytes(3000)])
def test_bytes_of_another_program_are_refused(value):
    with pytest.raises(LayoutError, match="check that app_id"):
        record_bytes(b"a", value)


def test_an_older_version_without_a_migration_is_refused():
    with pytest.raises(LayoutError, match="version 0 has no migration to"):
        record_bytes(b"a", bytes(8) + FRESH.tobytes())


def test_every_version_before_this_one_has_a_migration():
    assert sorted(MIGRATIONS) == list(range(1, VERSION))


def test_an_older_version_is_migrated_also_in_bulk(monkeypatch):
    monkeypatch.setitem(MIGRATIONS, 0, lambda record: record + FRESH.tobytes()[len(record) :])
    older = bytes(8) + FRESH.tobytes()[:100]
    accounts = Accounts()
    accounts.load_many([b"a", b"b"], [HEADER + FRESH.tobytes(), older])
    assert accounts.record(b"b").tobytes() == FRESH.tobytes()
