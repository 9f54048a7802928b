"""The bytes of a block: one encoding each, and nothing else is read as a block."""

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.effects.block import Block, fields_of, hash_block, read_block, seal, write_block
from monitor.effects.decisions import DECISION
from monitor.errors import ProtocolError
from monitor.resources import shipped
from monitor.wire.framing import HEADER_BYTES

FIELDS = {
    "format": 1,
    "app_id": "app",
    "topic": "transactions",
    "topic_id": "Zk3",
    "partition": 3,
    "height": 1,
    "first_offset": 100,
    "last_offset": 101,
    "alerts_from_offset": 0,
    "records": 2,
    "scored": 2,
    "duplicates": 0,
    "dead_letters": 0,
    "alerts": 0,
    "watermark_ms": 7,
    "changelog_records": 2,
    "changelog_tail": b"t" * 32,
    "versions": {"monitor": "0.1.0", "layout": "1"},
    "decisions": bytes(2 * DECISION.itemsize),
    "transaction_ids": b"",
    "merkle_root": b"m" * 32,
    "previous_hash": b"p" * 32,
    "block_hash": b"b" * 32,
}
VALUE = write_block(FIELDS, 7)


def test_a_block_reads_back_as_it_was_written():
    assert fields_of(read_block(VALUE)) == FIELDS
    assert write_block(fields_of(read_block(VALUE)), 7) == VALUE


ANY = {
    int: st.integers(-(2**63), 2**63 - 1),
    str: st.text(max_size=20),
    bytes: st.binary(max_size=200),
    dict: st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=4),
}


@given(st.fixed_dictionaries({name: ANY[type(value)] for name, value in FIELDS.items() if name != "block_hash"}))
def test_a_sealed_block_has_the_bytes_and_the_hash_that_readers_expect(fields):
    own = hash_block(fields)
    assert seal(fields, 7) == (write_block({**fields, "block_hash": own}, 7), own)


def test_a_block_that_was_read_cannot_be_altered():
    with pytest.raises(ValueError, match="read-only"):
        read_block(VALUE).decisions["score"] = 1.0


def test_reading_needs_no_registry():
    assert fields_of(read_block(write_block(FIELDS, 2**31 - 1))) == FIELDS


@pytest.mark.parametrize(
    "name", [name for name in FIELDS if name not in {"decisions", "transaction_ids", "block_hash"}]
)
def test_the_hash_takes_in_every_field_that_the_tree_does_not(name):
    other = {
        int: lambda v: v + 1,
        str: lambda v: v + "x",
        bytes: lambda v: v[1:] + b"x",
        dict: lambda v: {**v, "a": ""},
    }
    changed = {**FIELDS, name: other[type(FIELDS[name])](FIELDS[name])}
    assert hash_block(changed) != hash_block(FIELDS)


@given(st.integers(0, len(VALUE) - 1))
def test_a_truncated_block_is_refused(length):
    with pytest.raises(ProtocolError):
        read_block(VALUE[:length])


@given(st.binary(max_size=200))
def test_bytes_that_are_no_block_are_refused(junk):
    with pytest.raises(ProtocolError):
        read_block(VALUE[:HEADER_BYTES] + junk)


def test_bytes_after_a_block_are_refused():
    with pytest.raises(ProtocolError, match="canonical"):
        read_block(VALUE + b"\0")


def test_another_encoding_of_the_same_block_is_refused():
    # The format, 1, as two bytes instead of one: legal Avro, another sequence of bytes.
    assert VALUE[HEADER_BYTES] == 2
    with pytest.raises(ProtocolError, match="canonical"):
        read_block(VALUE[:HEADER_BYTES] + b"\x82\x00" + VALUE[HEADER_BYTES + 1 :])


def test_a_block_of_a_later_format_asks_for_an_upgrade():
    with pytest.raises(ProtocolError, match=r"format 2.*upgrade"):
        read_block(write_block({**FIELDS, "format": 2}, 7))


def test_decisions_that_are_cut_are_refused():
    with pytest.raises(ProtocolError, match="not a multiple of 24"):
        read_block(write_block({**FIELDS, "decisions": bytes(23)}, 7))


def test_a_block_says_what_its_schema_says():
    names = [
        field["name"] for field in fastavro.schema.load_schema(str(shipped("schemas") / "audit-block.avsc"))["fields"]
    ]
    assert list(Block.__slots__) == names
