"""The record's bytes: frozen by version, and as docs/state.md prints them."""

from hashlib import sha256
from pathlib import Path

import numpy as np

from monitor.state.layout import ACCOUNT, FRESH, NEVER, VERSION

DOCUMENT = Path(__file__).parents[3] / "docs" / "state.md"

DIGESTS = {1: "6928062c6aa3164f", 2: "6928062c6aa3164f", 3: "6e63b883e5fb305b"}
"""By layout version. A changed layout takes a new version, with a migration, and a new line here; lines never change. Version 2 is version 1, packed."""


def byte_table():
    """The rows of the table in docs/state.md."""
    rows = ["| bytes | field | type |", "| --- | --- | --- |"]
    for name in ACCOUNT.names:
        dtype, offset = ACCOUNT.fields[name][:2]
        shape = f" x {dtype.shape[0]}" if dtype.shape else ""
        rows.append(f"| {offset}-{offset + dtype.itemsize - 1} | `{name}` | {dtype.base.name}{shape} |")
    return "\n".join(rows)


def test_a_layout_version_never_changes():
    assert sha256(repr(ACCOUNT.descr).encode()).hexdigest()[:16] == DIGESTS[VERSION]


def test_the_document_prints_the_record_byte_by_byte():
    text = DOCUMENT.read_text()
    assert byte_table() in text, f"docs/state.md should contain:\n{byte_table()}"
    assert f"{ACCOUNT.itemsize:,} bytes" in text


def test_fields_are_aligned_and_little_endian():
    for name in ACCOUNT.names:
        dtype, offset = ACCOUNT.fields[name][:2]
        assert offset % dtype.base.itemsize == 0, name
        assert dtype.base.byteorder in "<=|", name


def test_a_fresh_record_has_seen_nothing_and_cannot_be_written():
    fresh = FRESH[0]
    assert (fresh["last_offset"], fresh["events"], fresh["last_event_time"], fresh["ring_floor"]) == (
        -1,
        0,
        NEVER,
        NEVER,
    )
    assert not np.any(fresh["ring_key"])
    assert not FRESH.flags.writeable
