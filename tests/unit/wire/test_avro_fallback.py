"""The slow reader: what only it can read, and what would end a process that trusted fastavro."""

import json

import pytest

from monitor.errors import SchemaIncompatible
from monitor.guard.reasons import Reason
from monitor.wire import columns as col
from monitor.wire.decode import compile_reader, decode
from monitor.wire.framing import frame
from monitor.wire.records import Spans

NODE = {
    "type": "record",
    "name": "Node",
    "fields": [{"name": "note", "type": "string"}, {"name": "up", "type": ["null", "Node"]}],
}
LIMIT = 2 << 20


@pytest.fixture
def recursive(evolved):
    writer = evolved()
    writer["fields"].insert(0, {"name": "parent", "type": NODE})
    return writer


@pytest.fixture
def read(recursive, hash_key):
    readers = {1: compile_reader(json.dumps(recursive))}
    assert readers[1].fallback is not None
    return lambda *values: decode(Spans.of(values), readers, hash_key, LIMIT)


def test_a_recursive_record_is_read(read, recursive, write):
    parent = {"note": "a", "up": {"note": "b", "up": None}}

    columns = read(write(recursive, parent=parent, event_time=2**62))

    assert columns.reason[0] == 0
    assert columns.text(col.DEVICE_ID, 0) == "Gerät"
    assert columns.longs[col.EVENT_TIME, 0] == 2**62  # beyond what a datetime holds


def test_a_record_cut_off_or_with_bytes_left_over_is_undecodable(read, recursive, write):
    value = write(recursive, parent={"note": "a", "up": None})

    columns = read(*[value[:end] for end in range(5, len(value))], value + b"\0")

    assert set(columns.reason) == {Reason.UNDECODABLE}


def test_a_negative_length_is_not_taken_for_all_the_rest(read):
    assert read(frame(1, b"\1" + b"x" * 40)).reason[0] == Reason.UNDECODABLE


def test_a_number_beyond_64_bits_is_undecodable(read, recursive, write):
    value = write(recursive, parent={"note": "", "up": None}, transaction_id="t", account_id="a", event_time=0)
    start = value.index(b"\2t\2a") + 4

    assert read(value[:start] + b"\xff" * 12 + b"\1" + value[start + 1 :]).reason[0] == Reason.UNDECODABLE


def test_a_record_nested_a_million_times_is_undecodable_and_not_a_segmentation_fault(read):
    assert read(frame(1, b"\0\2" * 500_000)).reason[0] == Reason.UNDECODABLE


def test_an_array_that_claims_endless_nulls_is_refused_with_its_schema(evolved):
    writer = evolved(nothing={"type": "array", "items": "null"}, parent=NODE)
    with pytest.raises(SchemaIncompatible, match="array of null"):
        compile_reader(json.dumps(writer))
