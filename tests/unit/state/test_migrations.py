"""Changelog values of other versions, cut or foreign."""

import json
from pathlib import Path

import numpy as np
import pytest

from monitor.errors import LayoutError
from monitor.state.accounts import Accounts
from monitor.state.layout import ACCOUNT, FRESH, VERSION
from monitor.state.migrations import CURRENT, HEADER, MIGRATIONS, Layout, record_bytes, records_of
from monitor.state.packing import UNIT, pack
from monitor.wire.records import Spans

FROZEN = Path(__file__).parents[2] / "fixtures" / "layout"


OLDEST = b"\1".ljust(8, b"\0")
"""The header of layout 1, whose records stood as they are behind it."""

FRESH_OF_1 = FRESH.tobytes()[:2152]
"""A record of layouts 1 and 2: what they lack is zero in an account that is new."""


def packed(record, header=HEADER):
    """The value of a record of today's layout (ACCOUNT[1])."""
    return pack(record.view(UNIT).reshape(1, -1), np.zeros(1, np.int64), header)[0]


def test_a_value_is_read_as_the_record_that_was_packed_or_written_as_it_was():
    assert record_bytes(b"a", packed(FRESH)) == FRESH.tobytes()
    assert record_bytes(b"a", OLDEST + FRESH_OF_1) == FRESH.tobytes()


def test_records_of_several_versions_are_read_in_bulk():
    other = FRESH.copy()
    other["events"] = 9
    values = [packed(FRESH), OLDEST + other.tobytes()[:2152], packed(other)]
    assert records_of([b"a", b"b", b"c"], values)["events"].tolist() == [0, 9, 9]
    assert records_of([], []).size == 0


def test_the_header_names_version_and_size():
    assert (VERSION, ACCOUNT.itemsize) == (3, 2184)
    assert list(HEADER) == [3, 0, 2184 // 8 % 256, 2184 // 8 // 256, 0, 0, 0, 0]


@pytest.mark.parametrize("cut", [1, 8, 2000])
def test_a_cut_record_of_layout_1_is_refused_with_both_lengths(cut):
    with pytest.raises(LayoutError, match=rf"'a': {ACCOUNT.itemsize - cut} bytes.*has {ACCOUNT.itemsize}"):
        record_bytes(b"a", (OLDEST + FRESH_OF_1)[:-cut])


@pytest.mark.parametrize(
    "value",
    [packed(FRESH)[:-1], packed(FRESH) + b"\0", HEADER, HEADER + FRESH.tobytes(), HEADER + bytes(16) + b"\x80"],
)
def test_bytes_that_are_no_packing_are_refused(value):
    with pytest.raises(LayoutError, match=rf"'a': the {len(value)} bytes are no packed record of layout version 3"):
        record_bytes(b"a", value)
    with pytest.raises(LayoutError, match="'a': the"):
        Accounts().load_many([b"b", b"a"], [packed(FRESH), value])


def test_a_packed_record_of_another_size_is_refused_with_both_lengths():
    short = bytearray(HEADER)
    short[2] -= 1
    value = pack(FRESH.view(UNIT)[None, :-2].copy(), np.zeros(1, np.int64), bytes(short))[0]
    with pytest.raises(LayoutError, match=f"{ACCOUNT.itemsize - 8} bytes.*has {ACCOUNT.itemsize}"):
        record_bytes(b"a", value)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\x01",
        b"\x01\x00\x00",
        b'{"json": 1}' + bytes(3000),
        OLDEST[:2] + packed(FRESH)[2:],
        b"\2" + OLDEST[1:] + FRESH.tobytes(),
    ],
)
def test_bytes_of_another_program_are_refused(value):
    with pytest.raises(LayoutError, match="check that app_id"):
        record_bytes(b"a", value)


def test_an_older_version_without_a_migration_is_refused():
    with pytest.raises(LayoutError, match="version 0 has no migration to"):
        record_bytes(b"a", bytes(8) + FRESH.tobytes())


def test_every_version_before_this_one_has_a_migration():
    assert sorted(MIGRATIONS) == list(range(1, VERSION))


def frozen(version):
    """The values of a frozen file by account: each behind its length, uint32, but for version 1, whose values are equally long."""
    content, wanted = (FROZEN / f"v{version}.bin").read_bytes(), json.loads((FROZEN / f"v{version}.json").read_text())
    values, at = [], 0
    while at < len(content):
        size = len(content) // len(wanted)
        if version > 1:
            size, at = int.from_bytes(content[at : at + 4], "little"), at + 4
        values.append(content[at : at + size])
        at += size
    return dict(zip(wanted, values, strict=True)), wanted


@pytest.mark.parametrize("version", range(1, VERSION + 1))
def test_records_that_older_layouts_wrote_are_read_for_ever(version):
    """The files never change; a later layout compares the fields it kept."""
    values, wanted = frozen(version)
    wanted = {key: {name: fields[name] for name in fields if name in ACCOUNT.names} for key, fields in wanted.items()}
    accounts = Accounts()
    accounts.load_many([key.encode() for key in wanted], list(values.values()))
    for key, fields in wanted.items():
        record = accounts.record(key.encode())
        assert {name: record[name].tolist() for name in fields} == fields, key


def test_this_version_writes_its_frozen_values():
    """Else two programs of one version would write a record differently, and equal states would not be equal bytes."""
    values, _ = frozen(VERSION)
    accounts, keys = Accounts(), [key.encode() for key in values]
    accounts.load_many(keys, list(values.values()))
    assert accounts.values(accounts.slots(Spans.of(keys), np.ones(len(keys), bool))) == list(values.values())


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
        slots = accounts.slots(Spans.of(keys), np.ones(2, bool))
        accounts.records["events"][slots] = [7, 8]
        if accounts is later:
            accounts.records["added"][slots] = [1, 2]
    return [
        *((key, today.values(today.slots(Spans.of([key]), np.ones(1, bool)))[0]) for key in (b"a", b"b")),
        *((key, later.values(later.slots(Spans.of([key]), np.ones(1, bool)))[0]) for key in (b"b", b"c")),
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
    written = accounts.values(accounts.slots(Spans.of(keys), np.ones(3, bool)))
    assert {value[:8] for value in written} == {NEXT.header}
    assert NEXT.units == CURRENT.units + 2


@pytest.mark.parametrize("in_bulk", [True, False])
def test_a_program_of_today_refuses_the_next_layout(in_bulk):
    changelog, accounts = older_and_newer(), Accounts()
    newer, refusal = changelog[-1], f"version {VERSION + 1} is newer than {VERSION}"
    with pytest.raises(LayoutError, match=refusal) as refused:
        accounts.load_many(*zip(*changelog, strict=True)) if in_bulk else accounts.load(*newer)
    assert refused.value.exit_code == 76
