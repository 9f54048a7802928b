"""What a fetch becomes: the same records that aiokafka would have made of the same bytes, as columns."""

import struct

import pytest
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import DamagedLogError
from monitor.wire import batches, fetched
from monitor.wire.fetched import ColumnRecords, Columns, Fetched, choose_columns

SOURCE = TP("transactions", 3)
TEXT = st.one_of(st.none(), st.binary(max_size=40))
RECORD = st.tuples(TEXT, TEXT, st.lists(st.tuples(st.text(max_size=6), TEXT), max_size=3))
COMMIT, ABORT = b"\0\0\0\1", b"\0\0\0\0"


def batch(base, records, codec=0, producer=-1, transactional=False, control=None, append_time=None):
    """A batch as a broker hands it out; `control` is the key of a marker."""
    builder = DefaultRecordBatchBuilder(2, codec, int(transactional), producer, 0, 0, 1 << 20)
    for at, (key, value, headers) in enumerate(records):
        builder.append(at, 1_700_000_000_000 + 7 * at, key, value, headers)
    raw = bytearray(builder.build())
    struct.pack_into(">q", raw, 0, base)
    attributes = struct.unpack_from(">h", raw, 21)[0] | (0x20 if control is not None else 0)
    if append_time is not None:
        attributes |= 0x08
        struct.pack_into(">q", raw, 35, append_time)
    struct.pack_into(">h", raw, 21, attributes)
    struct.pack_into(">I", raw, 17, calc_crc32c(bytes(raw[21:])))
    return bytes(raw)


def marker(base, producer, key):
    return batch(base, [(key, b"\0\0\0\0\0\0", [])], producer=producer, transactional=True, control=key)


def ours(raw, offset=0, aborted=()):
    return ColumnRecords(SOURCE, Fetched(raw), list(aborted), offset, None, None, True, READ_COMMITTED)


def theirs(raw, offset=0, aborted=()):
    return PartitionRecords(SOURCE, MemoryRecords(raw), list(aborted), offset, None, None, True, READ_COMMITTED)


def spelled_out(records):
    return [(r.offset, r.timestamp, r.key, r.value, tuple(r.headers)) for r in records]


def same(raw, offset=0, aborted=()):
    mine, reference = ours(raw, offset, aborted), theirs(raw, offset, aborted)
    found = [record for part in mine for record in part]
    assert spelled_out(found) == spelled_out(reference)
    assert mine.next_fetch_offset == reference.next_fetch_offset
    return found


@st.composite
def logs(draw):
    """A fetch of several batches, with transactions, markers and gaps; where it begins, and what the broker says was aborted."""
    raw, base, aborted, open_at = b"", draw(st.integers(0, 1 << 40)), [], {}
    start = []  # a broker begins with the batch that holds the offset
    for _ in range(draw(st.integers(1, 6))):
        base += draw(st.integers(0, 3))
        producer = draw(st.sampled_from([-1, 11, 12]))
        records = draw(st.lists(RECORD, min_size=1, max_size=5))
        start = start or range(base, base + len(records))
        transactional = producer >= 0 and draw(st.booleans())
        if transactional:
            open_at.setdefault(producer, base)
        append_time = draw(st.sampled_from([None, 1_800_000_000_000]))
        raw += batch(base, records, draw(st.integers(0, 4)), producer, transactional, append_time=append_time)
        base += len(records)
        if producer in open_at and draw(st.booleans()):
            key = draw(st.sampled_from([COMMIT, ABORT]))
            if key == ABORT:
                aborted.append((producer, open_at[producer]))
            del open_at[producer]
            raw += marker(base, producer, key)
            base += 1
    return raw, draw(st.sampled_from(start)), aborted


@given(logs())
def test_columns_hold_the_records_that_aiokafka_makes_of_the_same_bytes(log):
    same(*log)


@given(logs(), st.data())
def test_what_is_cut_off_at_the_end_of_a_fetch_is_left_for_the_next(log, data):
    raw, offset, aborted = log
    same(raw[: data.draw(st.integers(0, len(raw)))], offset, aborted)


def test_topics_in_an_old_format_are_read_by_aiokafka_itself():
    builder = LegacyRecordBatchBuilder(1, 0, 1 << 20)
    for at in range(5):
        builder.append(at, 1_700_000_000_000, b"k%d" % at, b"v")
    old = bytes(builder.build())
    assert [record.offset for record in same(old, 0)] == [0, 1, 2, 3, 4]
    reading = ours(old + batch(5, [(b"k", b"v", [])]))
    assert [record.offset for part in reading for record in part] == [0, 1, 2, 3, 4]
    assert reading.next_fetch_offset == 5, "what follows in the new format is fetched again"


def test_a_header_that_is_no_text_harms_nothing():
    raw = bytearray(batch(0, [(b"k", b"v", [("name", b"x")])]))
    raw[raw.index(b"name")] = 0xFF
    struct.pack_into(">I", raw, 17, calc_crc32c(bytes(raw[21:])))
    (records,) = ours(bytes(raw))
    assert records.record(0).headers == (("\ufffdame", b"x"),)


def damaged(raw, at):
    return raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]


def test_what_comes_before_a_damaged_batch_is_handed_over_and_the_next_fetch_names_it():
    whole, last = batch(10, [(b"k", b"v", [])] * 3), batch(13, [(b"k", b"v", [])])
    raw = whole + damaged(last, len(last) - 1)
    reading = ours(raw, 11)
    assert [record.offset for part in reading for record in part] == [11, 12]
    assert reading.next_fetch_offset == 13
    with pytest.raises(DamagedLogError, match=r"transactions\[3\]: the batch at offset 13 is damaged"):
        next(ours(raw[len(whole) :], 13))


@given(st.integers(0, 3), st.binary(max_size=60), st.integers(0, 200), st.data())
def test_a_batch_whose_checksum_holds_and_whose_records_do_not_is_damaged_and_nothing_worse(codec, junk, counted, data):
    raw = bytearray(batch(0, [(b"key", b"value", [("name", b"x")])] * 3, codec))
    at = data.draw(st.integers(61, len(raw)))
    raw[at : at + len(junk)] = junk
    struct.pack_into(">i", raw, 8, len(raw) - 12)
    struct.pack_into(">i", raw, 57, counted)
    struct.pack_into(">I", raw, 17, calc_crc32c(bytes(raw[21:])))
    try:
        found = [record for part in ours(bytes(raw)) for record in part]
    except DamagedLogError:
        return
    assert len(found) <= counted


@pytest.mark.parametrize(("last", "whole"), [(1, True), (2, False), (0x7F, False)])
def test_a_number_of_more_than_64_bits_is_damage(last, whole):
    """Python and the kernel would each read another one."""
    value = b"\xff" * 9 + bytes([last])  # as a time delta, which may be anything
    body = b"\0" + value + b"\0\x02k\x02v\0"
    raw = bytearray(batch(0, [(b"k", b"v", [])])[:61] + bytes([2 * len(body)]) + body)
    struct.pack_into(">i", raw, 8, len(raw) - 12)
    struct.pack_into(">I", raw, 17, calc_crc32c(bytes(raw[21:])))
    if whole:
        assert [len(part) for part in ours(bytes(raw))] == [1]
    else:
        with pytest.raises(DamagedLogError):
            list(ours(bytes(raw)))


@pytest.mark.parametrize(("place", "value"), [(16, 3), (8, 0x7F), (23, -1), (57, -1)])
def test_a_header_that_cannot_be_is_damage(place, value):
    raw = bytearray(batch(0, [(b"k", b"v", [])]) + bytes(200))
    if place == 8:
        struct.pack_into(">i", raw, 8, 48)  # ends within the header
    else:
        struct.pack_into(">b" if place == 16 else ">i", raw, place, value)
    with pytest.raises(DamagedLogError):
        list(ours(bytes(raw)))


def test_no_more_is_taken_at_once_than_memory_has_room_for_and_the_rest_is_fetched_again(monkeypatch):
    monkeypatch.setattr(fetched, "MAX_BYTES_AT_ONCE", 100)
    raw = b"".join(batch(at, [(b"k", b"v" * 60, [])], codec=1) for at in range(5))
    reading = ours(raw)
    assert [record.offset for part in reading for record in part] == [0, 1]
    assert reading.next_fetch_offset == 2


def test_only_the_consumer_and_the_topic_that_ask_for_columns_get_them():
    choose_columns()
    choose_columns()
    raw = batch(0, [(b"k", b"v", [])])

    def read(topic, deserializer):
        records = fetcher.MemoryRecords(raw)
        made = fetcher.PartitionRecords(TP(topic, 0), records, [], 0, None, deserializer, True, READ_COMMITTED)
        return [type(each).__name__ for each in made]

    assert read("transactions", Columns("transactions")) == ["Records"]
    assert read("changelog", Columns("transactions")) == ["ConsumerRecord"]
    assert read("transactions", None) == ["ConsumerRecord"]
    assert read("transactions", lambda value: value) == ["ConsumerRecord"]


def test_a_broken_marker_is_damage():
    raw = bytearray(marker(0, 11, ABORT))
    struct.pack_into(">i", raw, 57, 0)
    struct.pack_into(">I", raw, 17, calc_crc32c(bytes(raw[21:])))
    with pytest.raises(DamagedLogError):
        list(ours(bytes(raw)))


def test_the_header_is_as_long_as_kafka_says():
    assert batches.HEADER_BYTES == 61
