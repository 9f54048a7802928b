"""Changelog values of other versions, cut or foreign."""

import json
from pathlib import Path

import numpy as np
import pytest

from monitor.errors import LayoutError
from monitor.state.accounts import Accounts
from monitor.state.layout import ACCOUNT, FRESH, VERSION
from monitor.state.migrations import HEADER, MIGRATIONS, Layout, record_bytes

FROZEN = Path(__file__).parents[2] / "fixtures" / "layout"


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


def test_records_that_layout_1_wrote_are_read_for_ever():
    """The files never change; a later layout compares the fields it kept."""
    values, wanted = (FROZEN / "v1.bin").read_bytes(), json.loads((FROZEN / "v1.json").read_text())
    size = len(values) // len(wanted)
    accounts = Accounts()
    accounts.load_many([key.encode() for key in wanted], [values[at : at + size] for at in range(0, len(values), size)])
    for key, fields in wanted.items():
        record = accounts.record(key.encode())
        assert {name: record[name].tolist() for name in fields} == fields, key


LONGER = np.dtype([*ACCOUNT.descr, ("added", "<i8")])
NEXT_FRESH = np.zeros(1, LONGER)
for name in ACCOUNT.names:
    NEXT_FRESH[name] = FRESH[name]
NEXT_FRESH["added"] = -5
NEXT = Layout(
    VERSION + 1,
    LONGER,
    NEXT_FRESH,
    {**MIGRATIONS, VERSION: lambda record: record + (-5).to_bytes(8, "little", signed=True)},
)
"""A layout after today's: one field more, -5 where an older program wrote the record."""


def older_and_newer():
    """A changelog that a program of today began and one of the next layout went on with."""
    today, later = Accounts(), Accounts(NEXT)
    for accounts, keys in ((today, [b"a", b"b"]), (later, [b"b", b"c"])):
        slots = accounts.slots(keys, np.ones(2, bool))
        accounts.records["events"][slots] = [7, 8]
        if accounts is later:
            accounts.records["added"][slots] = [1, 2]
    return [
        *((key, today.values(today.slots([key], np.ones(1, bool)))[0]) for key in (b"a", b"b")),
        *((key, later.values(later.slots([key], np.ones(1, bool)))[0]) for key in (b"b", b"c")),
    ]


@pytest.mark.parametrize("in_bulk", [True, False])
def test_the_next_layout_reads_a_changelog_of_both(in_bulk):
    changelog, accounts = older_and_newer(), Accounts(NEXT)
    if in_bulk:
        accounts.load_many([key for key, _ in changelog], [value for _, value in changelog])
    else:
        for key, value in changelog:
            accounts.load(key, value)
    found = {key: (int(accounts.record(key)["events"]), int(accounts.record(key)["added"])) for key in accounts}
    assert found == {b"a": (7, -5), b"b": (7, 1), b"c": (8, 2)}
    keys = list(accounts)
    written = accounts.values(accounts.slots(keys, np.ones(3, bool)))
    assert {value[:8] for value in written} == {NEXT.header}
    assert {len(value) for value in written} == {NEXT.value_bytes}


@pytest.mark.parametrize("in_bulk", [True, False])
def test_a_program_of_today_refuses_the_next_layout(in_bulk):
    changelog, accounts = older_and_newer(), Accounts()
    newer, refusal = changelog[-1], f"version {VERSION + 1} is newer than {VERSION}"
    with pytest.raises(LayoutError, match=refusal) as refused:
        accounts.load_many(*zip(*changelog, strict=True)) if in_bulk else accounts.load(*newer)
    assert refused.value.exit_code == 76
