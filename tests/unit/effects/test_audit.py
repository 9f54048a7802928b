"""The audit chain: what was written reads back, and what was altered is found and named."""

import dataclasses
import io
import struct
from hashlib import sha256

import fastavro
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.effects import merkle
from monitor.effects.audit import (
    Position,
    block_bytes_at_most,
    build_block,
    genesis_block,
    position_of,
    verify_block,
)
from monitor.effects.block import fields_of, hash_block, read_block, write_block
from monitor.effects.changelog import NO_TAIL, changelog_tail
from monitor.effects.decisions import DECISION, Ids
from monitor.errors import ProtocolError
from monitor.resources import shipped
from monitor.state.dispositions import Disposition
from monitor.wire.framing import HEADER_BYTES

VERSIONS = {"monitor": "0.1.0", "layout": "1", "model": "m-1", "feature_set": "lean@x", "exchange": "sample-1"}
GENESIS, START = genesis_block(
    app_id="app",
    topic="transactions",
    topic_id="Zk3",
    partition=3,
    start=100,
    alerts_from_offset=120,
    versions=VERSIONS,
    schema_id=7,
)
TEXTS = [b"t-1", b"", b"t-22", "t-€".encode(), b"t-1"]


def ids_of(texts):
    lengths = np.array([len(text) for text in texts], np.int32)
    starts = np.cumsum(np.concatenate([[0], lengths[:-1]])) if texts else np.zeros(0)
    return Ids(np.frombuffer(b"".join(texts) + b"\0", np.uint8), starts.astype(np.int64), lengths)


def decisions(offsets=(100, 101, 105, 106, 110), dispositions=(0, 2, 0, 0, 1), scores=(0.5, np.nan, 0.7, 0.1, np.nan)):
    made = np.zeros(len(offsets), DECISION)
    made["offset"], made["disposition"], made["score"] = offsets, dispositions, scores
    made["outcome"][2:3] = 1
    made["reason"][1:2] = 23
    return made


TAIL = changelog_tail(b"a", b"state")


def build(position=START, made=None, texts=TEXTS, alerts=1, versions=VERSIONS, watermark_ms=None, written=2, tail=TAIL):
    return build_block(
        position,
        decisions() if made is None else made,
        ids_of(texts),
        alerts=alerts,
        watermark_ms=max(position.watermark_ms, 1000) if watermark_ms is None else watermark_ms,
        changelog_records=written,
        changelog_tail=tail,
        versions=versions,
        schema_id=7,
    )


VALUE, AFTER = build()
BLOCK = read_block(VALUE)


def forged(**changes):
    """The block with these fields changed and sealed anew, as someone would who knows the format."""
    fields = {**fields_of(BLOCK), **changes}
    return read_block(write_block({**fields, "block_hash": hash_block(fields)}, 7))


def test_a_genesis_block_covers_nothing_and_fixes_the_start():
    block = read_block(GENESIS)
    verify_block(block, None)
    assert (block.height, block.records, block.first_offset, block.last_offset) == (0, 0, 100, 99)
    assert (block.previous_hash, block.merkle_root) == (bytes(32), sha256(b"").digest())
    assert position_of(block) == START
    assert position_of(block) == Position("app", "transactions", "Zk3", 3, 0, 99, 120, 0, bytes(32), block.block_hash)


def test_a_start_at_the_first_offset_is_a_start():
    _, position = genesis_block(
        app_id="a", topic="t", topic_id="i", partition=0, start=0, alerts_from_offset=0, versions={}, schema_id=1
    )
    assert position.last_offset == -1
    value, _ = build(position)
    verify_block(read_block(value), position)


def test_a_block_reads_back_as_it_was_built():
    expected = decisions()
    expected["id_length"] = [len(text) for text in TEXTS]
    assert BLOCK.decisions.tobytes() == expected.tobytes()
    assert BLOCK.transaction_ids == b"".join(TEXTS)
    assert BLOCK.versions == VERSIONS
    assert (BLOCK.height, BLOCK.first_offset, BLOCK.last_offset, BLOCK.alerts_from_offset) == (1, 100, 110, 120)
    assert (BLOCK.records, BLOCK.scored, BLOCK.duplicates, BLOCK.dead_letters, BLOCK.alerts) == (5, 3, 1, 1, 1)
    assert BLOCK.previous_hash == START.block_hash
    assert position_of(BLOCK) == AFTER
    verify_block(BLOCK, START)


def test_a_foreign_reader_finds_the_same_block_by_the_shipped_schema():
    schema = fastavro.schema.load_schema(str(shipped("schemas") / "audit-block.avsc"))
    record = fastavro.schemaless_reader(io.BytesIO(VALUE[HEADER_BYTES:]), schema, None)
    assert record == {**fields_of(BLOCK), "decisions": BLOCK.decisions.tobytes()}


def test_the_hashes_are_those_of_the_documentation():
    leaves = [row.tobytes() + text for row, text in zip(BLOCK.decisions, TEXTS, strict=True)]
    assert merkle.root([merkle.leaf_hash(leaf) for leaf in leaves]) == BLOCK.merkle_root

    def long(number):  # Avro: zigzag, then base 128
        number, out = number << 1 ^ number >> 63, b""
        while number > 0x7F:
            number, out = number >> 7, out + bytes([number & 0x7F | 0x80])
        return out + bytes([number])

    def text(string):
        return long(len(string.encode())) + string.encode()

    header = long(1) + text("app") + text("transactions") + text("Zk3") + long(3)
    header += b"".join(long(number) for number in (1, 100, 110, 120, 5, 3, 1, 1, 1, 1000, 2))
    header += long(32) + TAIL
    header += long(len(VERSIONS)) + b"".join(text(key) + text(VERSIONS[key]) for key in sorted(VERSIONS)) + long(0)
    assert BLOCK.block_hash == sha256(b"\x02" + START.block_hash + header + BLOCK.merkle_root).digest()


def test_the_hash_of_a_block_never_changes():
    # Literals of the first blocks ever sealed like these: what is in the audit logs of the world must go on verifying.
    assert START.block_hash.hex() == "0a9c56bb57dcc8c5a85c6b05489fd8bf22c5180181ee25d62d4df5361ee18b1e"
    assert AFTER.block_hash.hex() == "17d579d0d7e88972349e8a73ed155635cc6ceb81b849760b8cac6f5c8054d36e"
    assert sha256(VALUE).hexdigest() == "4628864fd4e685eb0fc25ef7cd2783920f63c85e50717225b30368314efee621"


def test_versions_in_any_order_make_the_same_block():
    assert build(versions=dict(reversed(VERSIONS.items()))) == (VALUE, AFTER)


def test_each_block_chains_to_the_one_before():
    value, after = build(AFTER, decisions(range(111, 116)))
    block = read_block(value)
    verify_block(block, AFTER)
    assert (block.height, block.first_offset, after.height, after.last_offset) == (2, 111, 2, 115)


def test_an_honest_gap_in_front_of_a_run_is_covered_by_its_block():
    value, _ = build(made=decisions((104, 105, 106, 107, 108)))
    block = read_block(value)
    verify_block(block, START)
    assert block.first_offset == 100


def test_a_block_by_itself_can_be_verified_without_the_one_before():
    verify_block(BLOCK, None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"made": decisions((99, 101, 105, 106, 110))}, "offsets 99 to 110"),
        ({"made": decisions((100, 101, 101, 106, 110))}, "not ascending"),
        ({"made": decisions((100, 105, 101, 106, 110))}, "not ascending"),
        ({"made": decisions(dispositions=(0, 0, 3, 0, 0))}, "unknown disposition"),
        ({"alerts": 4}, "alerts is 4, with 3 scored"),
        ({"alerts": -1}, "alerts is -1"),
        ({"written": -1}, "changelog_records is -1"),
        ({"written": 0, "tail": None}, "changelog_records is 0, with 3 scored"),
        ({"tail": b"short"}, "changelog_tail has 5 bytes"),
        ({"watermark_ms": 0}, "watermark_ms is 0, with 3 scored"),
        ({"position": AFTER, "made": decisions(range(111, 116)), "watermark_ms": 999}, "it never falls"),
        ({"texts": TEXTS[:4]}, "5 decisions for 4 ids"),
        ({"made": np.zeros(0, DECISION), "texts": []}, "at least one"),
    ],
)
def test_a_block_that_contradicts_itself_is_never_built(changes, words):
    with pytest.raises(ProtocolError, match=words):
        build(**changes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"records": 6}, "records is 6"),
        ({"scored": 4}, "scored is 4"),
        ({"duplicates": 0}, "duplicates is 0"),
        ({"dead_letters": 2}, "dead_letters is 2"),
        ({"alerts": 9}, "alerts is 9"),
        ({"last_offset": 111}, "100 to 110, not ascending within 100 to 111"),
        ({"first_offset": 101}, "not ascending within 101"),
        ({"height": 0}, "height is 0 with 5 records"),
        ({"transaction_ids": b"".join(TEXTS) + b"x"}, "transaction_ids has"),
        ({"transaction_ids": b""}, "transaction_ids has 0 bytes"),
        ({"transaction_ids": b"T" + b"".join(TEXTS)[1:]}, "merkle_root"),
        ({"merkle_root": bytes(32)}, "merkle_root"),
        ({"decisions": BLOCK.decisions[:4].tobytes()}, "records is 5"),
        ({"app_id": "other"}, "app_id is 'other'"),
        ({"topic": "other"}, "topic is 'other'"),
        ({"topic_id": "again"}, "topic_id is 'again'"),
        ({"partition": 4}, "partition is 4"),
        ({"height": 2}, "height is 2"),
        ({"first_offset": 99}, "first_offset is 99"),
        ({"alerts_from_offset": 0}, "alerts_from_offset is 0"),
        ({"previous_hash": bytes(32)}, "previous_hash is"),
        ({"watermark_ms": -1}, "watermark_ms is -1"),
        ({"changelog_records": 0}, "changelog_records is 0"),
        ({"changelog_tail": b""}, "changelog_tail has 0 bytes"),
    ],
)
def test_a_forged_field_is_named_even_when_the_block_hash_fits(change, words):
    with pytest.raises(ProtocolError, match=words):
        verify_block(forged(**change), START)


def test_a_changed_score_is_found():
    altered = BLOCK.decisions.copy()
    altered["score"][0] = 0.49
    with pytest.raises(ProtocolError, match="merkle_root"):
        verify_block(forged(decisions=altered.tobytes()), START)


def test_other_versions_are_found_by_the_block_hash():
    block = dataclasses.replace(BLOCK, versions={**VERSIONS, "model": "m-2"})
    with pytest.raises(ProtocolError, match="block_hash"):
        verify_block(block, START)


def test_a_genesis_block_has_nothing_before_it():
    fields = {**fields_of(read_block(GENESIS)), "previous_hash": b"x" * 32}
    with pytest.raises(ProtocolError, match="previous_hash"):
        verify_block(read_block(write_block({**fields, "block_hash": hash_block(fields)}, 7)), None)


REJECTS = decisions(range(111, 116), dispositions=(2, 2, 2, 2, 2))


def test_a_run_that_changes_no_account_inherits_watermark_and_tail():
    value, after = build(AFTER, REJECTS, alerts=0, written=0, tail=None)
    block = read_block(value)
    verify_block(block, AFTER)
    assert (block.watermark_ms, block.changelog_records, block.changelog_tail) == (1000, 0, TAIL)
    assert (after.watermark_ms, after.changelog_tail) == (1000, TAIL)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"watermark_ms": 999}, "watermark_ms is 999, below the 1000"),
        ({"changelog_tail": NO_TAIL}, "without changelog records it is that of the block before"),
    ],
)
def test_a_watermark_that_falls_or_a_tail_out_of_nowhere_breaks_the_chain(change, words):
    value, _ = build(AFTER, REJECTS, alerts=0, written=0, tail=None)
    fields = {**fields_of(read_block(value)), **change}
    block = read_block(write_block({**fields, "block_hash": hash_block(fields)}, 7))
    verify_block(block, None)
    with pytest.raises(ProtocolError, match=words):
        verify_block(block, AFTER)


@pytest.mark.parametrize("change", [{"watermark_ms": 5}, {"changelog_records": 1}, {"changelog_tail": TAIL}])
def test_a_genesis_block_has_no_state(change):
    fields = {**fields_of(read_block(GENESIS)), **change}
    with pytest.raises(ProtocolError, match="a genesis block has no state"):
        verify_block(read_block(write_block({**fields, "block_hash": hash_block(fields)}, 7)), None)


def test_a_missing_block_breaks_the_chain():
    value, _ = build(AFTER, decisions(range(111, 116)))
    with pytest.raises(ProtocolError, match="height is 2, the block before makes it 1"):
        verify_block(read_block(value), START)


@given(st.integers(0, len(VALUE) - 1), st.integers(1, 255))
def test_any_altered_byte_of_a_block_is_found(place, flip):
    altered = bytearray(VALUE)
    altered[place] ^= flip
    if 1 <= place < HEADER_BYTES:  # the schema id is the registry's affair: another one is the same block
        assert fields_of(read_block(bytes(altered))) == fields_of(BLOCK)
        return
    with pytest.raises(ProtocolError):
        verify_block(read_block(bytes(altered)), START)


@given(st.integers(0, len(GENESIS) - 1), st.integers(1, 255))
def test_any_altered_byte_of_a_genesis_block_is_found(place, flip):
    altered = bytearray(GENESIS)
    altered[place] ^= flip
    if not 1 <= place < HEADER_BYTES:
        with pytest.raises(ProtocolError):
            verify_block(read_block(bytes(altered)), None)


ROWS = st.lists(
    st.tuples(
        st.integers(1, 50),
        st.sampled_from(list(Disposition)),
        st.floats(0, 1),
        st.integers(0, 255),
        st.binary(max_size=130),
    ),
    min_size=1,
    max_size=12,
)


@given(st.lists(ROWS, min_size=1, max_size=4))
def test_any_chain_of_runs_verifies_and_every_record_is_counted_once(runs):
    position, decided = START, 0
    for rows in runs:
        made = np.zeros(len(rows), DECISION)
        made["offset"] = position.last_offset + np.cumsum([row[0] for row in rows])
        for name, column in (("disposition", 1), ("score", 2), ("flags", 3)):
            made[name] = [row[column] for row in rows]
        value, after = build(position, made, [row[4] for row in rows], alerts=0)
        block = read_block(value)
        verify_block(block, position)
        assert position_of(block) == after
        assert len(value) <= block_bytes_at_most(len(rows))
        assert block.scored + block.duplicates + block.dead_letters == block.records == len(rows)
        decided += block.records
        position = after
    assert decided == sum(map(len, runs))
    assert position.height == len(runs)


def test_offsets_at_the_end_of_the_range_fit():
    value, after = build(dataclasses.replace(START, last_offset=2**63 - 7), decisions(range(2**63 - 6, 2**63 - 1)))
    assert after.last_offset == 2**63 - 2
    assert struct.pack("<q", 2**63 - 2) in value
    verify_block(read_block(value), None)


def test_the_largest_block_of_a_run_is_known_beforehand():
    count = 500
    made = decisions(range(100, 100 + count), [0] * count, [0.5] * count)
    value, _ = build(made=made, texts=[b"x" * 128] * count)
    assert block_bytes_at_most(count) - 4096 < len(value) <= block_bytes_at_most(count)
