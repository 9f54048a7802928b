"""Values in, columns out: framing, reasons, order, and several schemas in one run."""

import json

import numpy as np
import pytest

from monitor.guard.reasons import Reason
from monitor.wire import columns as col
from monitor.wire.decode import compile_reader, decode, schema_ids, warm_up
from monitor.wire.framing import frame
from monitor.wire.hashing import hash_bytes
from monitor.wire.reader import compile_reader_as, transaction_schema
from monitor.wire.records import Spans

LIMIT = 10_000


@pytest.fixture(scope="module")
def readers():
    return {1: compile_reader(transaction_schema())}


def texts(columns, row):
    return {name: columns.text(field, row) for field, name in enumerate(col.STRINGS)}


def test_a_transaction_becomes_one_cell_in_each_column(write, readers, hash_key):
    columns = decode(Spans.of([write()]), readers, hash_key, LIMIT)

    assert columns.reason.tolist() == [Reason.ADMITTED]
    assert columns.schema_ids.tolist() == [1]
    assert columns.longs[:, 0].tolist() == [1_790_000_000_000, 1299, col.CREDIT, col.CHANNELS.index("wallet")]
    assert texts(columns, 0) == {
        "transaction_id": "tx-1", "account_id": "acc-1", "currency": "EUR", "merchant_id": "m-1", "merchant_category": None,
        "country": "DE", "device_id": "Gerät", "ip": None, "idempotency_key": None,
    }  # fmt: skip
    assert columns.hashes[col.ACCOUNT_ID, 0] == hash_bytes(b"acc-1", hash_key)
    assert columns.hashes[col.IP, 0] == 0


def test_the_shapes_and_types_are_those_promised(write, readers, hash_key):
    columns = decode(Spans.of([write(), None, write()]), readers, hash_key, LIMIT)

    arrays = {name: getattr(columns, name) for name in columns.__dataclass_fields__}
    assert {name: (str(array.dtype), array.shape) for name, array in arrays.items() if name != "data"} == {
        "longs": ("int64", (4, 3)), "starts": ("int64", (9, 3)), "lengths": ("int32", (9, 3)), "hashes": ("uint64", (9, 3)),
        "reason": ("uint8", (3,)), "schema_ids": ("int32", (3,)),
    }  # fmt: skip
    assert columns.data.dtype == np.uint8


@pytest.mark.parametrize(
    ("value", "reason", "schema_id"),
    [
        (None, Reason.EMPTY_VALUE, -1),
        (b"", Reason.EMPTY_VALUE, -1),
        (b"{}", Reason.WRONG_MAGIC, -1),
        (b'{"transaction_id": 1}', Reason.WRONG_MAGIC, -1),
        (b"\0\0\0\0", Reason.TRUNCATED_HEADER, -1),
        (frame(1, b"x" * LIMIT), Reason.OVERSIZED, 1),
        (frame(2, b""), Reason.UNKNOWN_SCHEMA, 2),
        (frame(2**31 - 1, b"x"), Reason.UNKNOWN_SCHEMA, 2**31 - 1),
        (frame(-7, b"x"), Reason.UNKNOWN_SCHEMA, -7),
        (frame(3, b"x"), Reason.INCOMPATIBLE_SCHEMA, 3),
        (frame(1, b""), Reason.UNDECODABLE, 1),
    ],
)
def test_a_bad_value_gets_its_reason_and_the_others_are_read(value, reason, schema_id, write, readers, hash_key):
    known = readers | {3: Reason.INCOMPATIBLE_SCHEMA}

    columns = decode(Spans.of([write(account_id="a"), value, write(account_id="b")]), known, hash_key, LIMIT)

    assert columns.reason.tolist() == [0, reason, 0]
    assert columns.schema_ids.tolist() == [1, schema_id, 1]
    assert [columns.text(col.ACCOUNT_ID, row) for row in (0, 2)] == ["a", "b"]
    for cells in (columns.longs, columns.starts, columns.lengths, columns.hashes):
        assert not cells[:, 1].any()


def test_a_value_of_just_the_limit_is_read(write, readers, hash_key):
    value = write()

    assert decode(Spans.of([value]), readers, hash_key, len(value)).reason[0] == Reason.ADMITTED
    assert decode(Spans.of([value]), readers, hash_key, len(value) - 1).reason[0] == Reason.OVERSIZED


def test_nothing_becomes_no_rows(readers, hash_key):
    assert len(decode(Spans.of([]), readers, hash_key, LIMIT)) == 0


def test_only_bad_values_become_rows_with_reasons(readers, hash_key):
    assert decode(Spans.of([None, b""]), readers, hash_key, LIMIT).reason.tolist() == [Reason.EMPTY_VALUE] * 2


def test_records_of_several_schemas_keep_their_order(write, evolved, readers, hash_key):
    newer = evolved(amount_minor="int", risk={"type": "array", "items": "float"})
    recursive = evolved(
        parent=["null", {"type": "record", "name": "Node", "fields": [{"name": "up", "type": ["null", "Node"]}]}]
    )
    known = readers | {2: compile_reader(json.dumps(newer)), 3: compile_reader(json.dumps(recursive))}
    assert known[2].program is not None
    assert known[3].program is None
    values = [
        write(amount_minor=0),
        write(newer, 2, amount_minor=1, risk=[0.5]),
        write(recursive, 3, amount_minor=2, parent={"up": {"up": None}}, account_id="slow"),
        write(amount_minor=3),
        write(newer, 2, amount_minor=4, risk=[]),
        write(recursive, 3, amount_minor=5, parent=None)[:-1],
    ]

    columns = decode(Spans.of(values), known, hash_key, LIMIT)

    assert columns.reason.tolist() == [0, 0, 0, 0, 0, Reason.UNDECODABLE]
    assert columns.longs[col.AMOUNT_MINOR].tolist() == [0, 1, 2, 3, 4, 0]
    assert columns.text(col.ACCOUNT_ID, 2) == "slow"
    assert columns.hashes[col.ACCOUNT_ID, 2] == hash_bytes(b"slow", hash_key)
    assert columns.text(col.ACCOUNT_ID, 3) == "acc-1"


def test_a_default_that_is_text_is_filled_in(write, evolved, hash_key):
    ours = json.loads(transaction_schema())
    ours["fields"] = [
        field | {"type": "string", "default": "??"} if field["name"] == "country" else field for field in ours["fields"]
    ]
    writer = evolved(country=None)
    reader = compile_reader_as(json.dumps(writer), json.dumps(ours))

    columns = decode(Spans.of([write(writer)]), {1: reader}, hash_key, LIMIT)

    assert columns.text(col.COUNTRY, 0) == "??"
    assert columns.hashes[col.COUNTRY, 0] == hash_bytes(b"??", hash_key)


def test_schema_ids_are_read_without_decoding(write):
    assert schema_ids(Spans.of([write(schema_id=7), None, b"", b"\0\0", b"\1\0\0\0\1x", frame(9, b"")])).tolist() == [
        7,
        -1,
        -1,
        -1,
        -1,
        9,
    ]


def test_warming_up_twice_is_harmless():
    warm_up()
    warm_up()


def test_the_rows_of_columns_are_fields_of_the_schema_and_enums_are_in_its_order(schema):
    types = {field["name"]: field["type"] for field in schema["fields"]}

    assert set(types) == set(col.LONGS) | set(col.STRINGS) | {"attributes"}
    assert tuple(types["direction"]["symbols"]) == col.DIRECTIONS
    assert tuple(types["channel"]["symbols"]) == col.CHANNELS
