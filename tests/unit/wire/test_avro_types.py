"""Simple questions to Avro types."""

import pytest

from monitor.wire.avro_types import Named, kind, logical, short_name, without_logical_types

NAMED = Named(
    {
        "a.Empty": {"type": "record", "name": "a.Empty", "fields": []},
        "a.Pair": {
            "type": "record",
            "name": "a.Pair",
            "fields": [{"name": "x", "type": "null"}, {"name": "y", "type": "a.Empty"}],
        },
        "a.Loop": {"type": "record", "name": "a.Loop", "fields": [{"name": "up", "type": ["null", "a.Loop"]}]},
    }
)


@pytest.mark.parametrize(
    ("schema", "nothing"),
    [
        ("null", True), ({"type": "null"}, True), ("a.Empty", True), ("a.Pair", True), ("a.Loop", False), ("int", False),
        (["null"], False), ({"type": "fixed", "name": "F", "size": 0}, True), ({"type": "fixed", "name": "F", "size": 1}, False),
        ({"type": "array", "items": "null"}, False), ({"type": "map", "values": "null"}, False),
    ],
)  # fmt: skip
def test_a_type_takes_no_bytes_when_nothing_in_it_does(schema, nothing):
    assert NAMED.takes_no_bytes(schema) is nothing


def test_the_kind_of_a_type_is_its_own_name():
    assert [kind(each) for each in ("int", {"type": "int"}, ["null"], {"type": "map", "values": "int"})] == [
        "int",
        "int",
        "union",
        "map",
    ]


def test_a_reference_becomes_its_type():
    assert short_name(NAMED.full("a.Pair")) == "Pair"
    assert NAMED.full({"type": {"type": "string"}}) == {"type": "string"}


def test_logical_types_are_taken_out_at_every_depth():
    time = {"type": "long", "logicalType": "timestamp-millis"}
    schema = {
        "type": "record",
        "name": "R",
        "fields": [{"name": "a", "type": ["null", time]}, {"name": "b", "type": {"type": "array", "items": time}}],
    }

    assert logical(time) == "timestamp-millis"
    assert "logicalType" not in str(without_logical_types(schema))
    assert "logicalType" in str(schema)
