"""Which writers' schemas resolve, and what is said of those that do not."""

import json

import pytest

from monitor.errors import SchemaIncompatible
from monitor.wire import ops as op
from monitor.wire.program import sink_of
from monitor.wire.reader import compile_reader, transaction_schema

MICROS = {"type": "long", "logicalType": "timestamp-micros"}
DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 9}


def codes(writer):
    return compile_reader(json.dumps(writer)).program.code[:, 0].tolist()


def test_our_own_schema_takes_one_instruction_a_field_and_five_for_the_map(evolved):
    assert codes(evolved()) == [
        op.STRING, op.STRING, op.LONG, op.LONG, op.STRING, op.ENUM, op.ENUM, *[op.NULLABLE] * 6,
        op.BLOCKS, op.SKIP_BYTES, op.SKIP_BYTES, op.NEXT, op.END,
    ]  # fmt: skip


def test_missing_optional_fields_are_null(evolved):
    assert codes(evolved(ip=None, attributes=None))[-2:] == [op.NULL, op.END]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"amount_minor": None}, "amount_minor: missing in the writer's schema"),
        ({"transaction_id": None}, "transaction_id: missing"),
        ({"amount_minor": "double"}, "amount_minor: the writer's double cannot be read as our long"),
        ({"amount_minor": "string"}, "amount_minor: the writer's string"),
        ({"amount_minor": DECIMAL}, r"amount_minor: the writer's bytes \(decimal\)"),
        ({"amount_minor": {"type": "int", "logicalType": "date"}}, r"amount_minor: the writer's int \(date\)"),
        (
            {"event_time": MICROS},
            r"event_time: the writer's long \(timestamp-micros\) cannot be read as our long \(timestamp-millis\)",
        ),
        ({"event_time": ["null", MICROS]}, "event_time: no branch"),
        ({"event_time": {"type": "long", "logicalType": "local-timestamp-millis"}}, "event_time"),
        ({"account_id": "long"}, "account_id: the writer's long cannot be read as our string"),
        ({"account_id": "null"}, "account_id: the writer's null"),
        ({"account_id": ["int", "long"]}, "account_id: no branch"),
        ({"account_id": []}, "account_id: no branch"),
        ({"account_id": DECIMAL}, "account_id"),
        ({"merchant_id": "long"}, "merchant_id: the writer's long cannot be read as our null or string"),
        ({"country": {"type": "fixed", "name": "Country", "size": 2}}, "country"),
        ({"direction": "string"}, "direction: the writer's string cannot be read as our enum"),
        (
            {"direction": {"type": "enum", "name": "Side", "symbols": ["debit"]}},
            "direction: the writer's enum is named .*Side.*; name it Direction",
        ),
        ({"attributes": "string"}, "attributes: the writer's string cannot be read as our map"),
        ({"attributes": {"type": "map", "values": "int"}}, "attributes"),
        ({"attributes": {"type": "array", "items": "string"}}, "attributes"),
        ({"added": {"type": "fixed", "name": "F", "size": -1}}, "F: a fixed of size -1"),
        ({"added": {"type": "fixed", "name": "F", "size": "9"}}, "F: a fixed of size '9'"),
    ],
)
def test_a_schema_that_cannot_be_read_as_ours_is_refused_with_the_field(changes, said, evolved):
    with pytest.raises(SchemaIncompatible, match=said):
        compile_reader(json.dumps(evolved(**changes) | {"namespace": "foreign"}))


def test_a_record_of_another_name_is_refused_and_of_another_namespace_is_not(evolved):
    compile_reader(json.dumps(evolved() | {"namespace": "com.example"}))
    with pytest.raises(SchemaIncompatible, match="name it Transaction"):
        compile_reader(json.dumps(evolved() | {"name": "Payment"}))


def test_one_of_several_records_may_be_the_transaction(evolved, write):
    other = {"type": "record", "name": "Heartbeat", "fields": [{"name": "at", "type": "long"}]}

    assert op.FAIL in codes([other, evolved()])


@pytest.mark.parametrize("times", [3, 60])
def test_a_schema_that_doubles_itself_is_refused_or_read_slowly_but_never_grows_without_end(times, evolved):
    inner = {"type": "record", "name": "R0", "fields": [{"name": "x", "type": "int"}]}
    for level in range(1, times):
        inner = {
            "type": "record",
            "name": f"R{level}",
            "fields": [{"name": "a", "type": inner}, {"name": "b", "type": f"R{level - 1}"}],
        }

    assert (compile_reader(json.dumps(evolved(added=inner))).program is None) == (times == 60)


def test_records_of_nothing_that_double_themselves_are_seen_through_at_once(evolved):
    inner = {"type": "record", "name": "R0", "fields": [{"name": "x", "type": "null"}]}
    for level in range(1, 60):
        inner = {
            "type": "record",
            "name": f"R{level}",
            "fields": [{"name": "a", "type": inner}, {"name": "b", "type": f"R{level - 1}"}],
        }

    with pytest.raises(SchemaIncompatible, match="array of null"):
        compile_reader(json.dumps(evolved(added={"type": "array", "items": inner})))


def test_arrays_nested_deeper_than_the_kernels_stack_are_read_slowly(evolved):
    type_ = "int"
    for _ in range(op.MAX_DEPTH):
        type_ = {"type": "array", "items": type_}
    assert compile_reader(json.dumps(evolved(added=type_))).program is not None
    assert compile_reader(json.dumps(evolved(added={"type": "array", "items": type_}))).program is None


def test_an_error_after_a_field_that_only_the_fallback_reads_is_still_found(evolved):
    recursive = {"type": "record", "name": "Node", "fields": [{"name": "up", "type": ["null", "Node"]}]}
    writer = evolved(currency="long")
    writer["fields"].insert(0, {"name": "parent", "type": recursive})

    with pytest.raises(SchemaIncompatible, match="currency"):
        compile_reader(json.dumps(writer))


def test_a_field_of_ours_that_no_column_takes_goes_nowhere():
    assert sink_of("attributes").row == -1
    assert sink_of("account_id").text
    assert not sink_of("amount_minor").text


def test_the_limits_of_a_program_hold_our_own_schema_many_times():
    assert len(compile_reader(transaction_schema()).program.code) * 100 < op.MAX_OPS
