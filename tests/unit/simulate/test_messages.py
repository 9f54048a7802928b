import io
import json

import fastavro
import numpy as np
import pytest

from monitor.errors import SchemaIncompatible
from monitor.guard.reasons import Reason
from monitor.guard.validate import Limits, admit
from monitor.money.exchange import load_exchange
from monitor.simulate.avro_columns import ColumnWriter
from monitor.simulate.batch import ATTRIBUTES, SCENARIO_NAMES
from monitor.simulate.corrupt import KINDS, corrupt
from monitor.simulate.draws import Draws
from monitor.simulate.messages import corrupter, label_messages, schema_text, transaction_messages
from monitor.wire.columns import CHANNELS, DIRECTIONS
from monitor.wire.decode import decode
from monitor.wire.framing import unframe
from monitor.wire.hashing import HashKey
from monitor.wire.reader import compile_reader
from monitor.wire.records import Spans

SCHEMA_ID = 300


def schema_of(name):
    """The shipped schema without logical types, so that fastavro gives times as integers."""
    schema = json.loads(schema_text(name))
    for field in schema["fields"]:
        if isinstance(field["type"], dict):
            field["type"].pop("logicalType", None)
    return fastavro.parse_schema(schema)


def read(value, schema):
    schema_id, payload = unframe(value)
    assert schema_id == SCHEMA_ID
    stream = io.BytesIO(payload)
    record = fastavro.schemaless_reader(stream, schema, None)
    assert not stream.read()
    return record


@pytest.fixture(scope="module")
def admission(spec):
    """Decode and judge messages as the monitor would, at the end of the stream."""
    readers = {SCHEMA_ID: compile_reader(schema_text("transaction"))}
    exchange = load_exchange(None)

    def judge(keys, values):
        columns = decode(Spans.of(values), readers, HashKey.parse("00" * 16), 1 << 20)
        return admit(columns, Spans.of(keys), exchange, Limits(10**15, 300_000), spec.end_ms).reason

    return judge


def test_the_bytes_are_fastavros(batches, rows_of):
    schema = schema_of("transaction")
    batch = batches[len(batches) // 2]
    messages = transaction_messages(batch, SCHEMA_ID)
    for row, key, value in zip(rows_of([batch]), messages.keys, messages.values, strict=True):
        record = {name: row[name] for name in (field["name"] for field in schema["fields"])}
        record["direction"], record["channel"] = DIRECTIONS[row["direction"]], CHANNELS[row["channel"]]
        record["attributes"] = ATTRIBUTES[row["attributes"]]
        out = io.BytesIO()
        fastavro.schemaless_writer(out, schema, record)
        assert out.getvalue() == unframe(value)[1]
        assert key == row["account_id"].encode()


def test_every_transaction_is_admitted(batches, admission):
    for batch in batches:
        messages = transaction_messages(batch, SCHEMA_ID)
        assert not admission(messages.keys, messages.values).any()


def test_labels_say_what_when_and_which_scenario(batches):
    schema = schema_of("label")
    for batch in batches:
        fraud = batch.rows(batch.is_fraud)
        messages = label_messages(batch, SCHEMA_ID)
        assert messages.keys == fraud.account_id.tolist()
        for row, value in enumerate(messages.values):
            label = read(value, schema)
            assert label["transaction_id"].encode() == fraud.transaction_id[row]
            assert label["label"] == "fraud"
            assert label["source"] == "simulator"
            assert label["scenario"] == SCENARIO_NAMES[fraud.scenario[row]]
            assert label["label_time"] == fraud.label_time[row]


def test_an_empty_batch_is_no_messages(batches):
    nothing = batches[0].rows(slice(0, 0))
    assert len(transaction_messages(nothing, 1)) == len(label_messages(nothing, 1)) == 0


@pytest.mark.parametrize("number", [0, 1, 63, 64, 2**31, 2**62, 2**63 - 1, -1, -64, -65, -(2**63)])
def test_a_long_is_written_as_avro_does(number):
    schema = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "long"}, {"name": "b", "type": "long"}]}
    values = ColumnWriter(json.dumps(schema), {}).values({"a": np.array([number, 5]), "b": np.array([7, number])}, 1)
    parsed = fastavro.parse_schema(schema)
    assert fastavro.schemaless_reader(io.BytesIO(values[0][5:]), parsed, None) == {"a": number, "b": 7}
    assert fastavro.schemaless_reader(io.BytesIO(values[1][5:]), parsed, None) == {"a": 5, "b": number}


def test_a_schema_with_a_type_it_cannot_write_is_refused():
    schema = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "float"}]}
    with pytest.raises(SchemaIncompatible, match="field a"):
        ColumnWriter(json.dumps(schema), {})


EXPECTED = {
    "truncated": {Reason.UNDECODABLE},
    "bit_flipped": {Reason.UNDECODABLE},
    "wrong_magic": {Reason.WRONG_MAGIC},
    "unknown_schema_id": {Reason.UNKNOWN_SCHEMA},
    "missing_key": {Reason.MISSING_KEY},
    "foreign_key": {Reason.FOREIGN_KEY},
    "empty_value": {Reason.EMPTY_VALUE},
    "tombstone": {Reason.EMPTY_VALUE},
    "negative_amount": {Reason.NEGATIVE_AMOUNT},
    "unknown_currency": {Reason.UNKNOWN_CURRENCY},
    "event_time_a_year_ahead": {Reason.EVENT_TIME_IN_FUTURE},
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_bad_input_is_rejected_for_its_reason(kind, batches, admission):
    messages = transaction_messages(batches[-1].rows(slice(0, 200)), SCHEMA_ID)
    draws = Draws(1)
    spoiled = [corrupt(message, kind, draws) for message in zip(messages.keys, messages.values, strict=True)]
    assert set(admission(*zip(*spoiled, strict=True)).tolist()) == EXPECTED[kind]


def test_spoiling_leaves_fraud_alone_counts_and_repeats(batches, spec, admission):
    batch = batches[-1]

    def spoiled():
        return corrupter(spec.seed, 0.05)(batch, transaction_messages(batch, SCHEMA_ID))

    bad = spoiled()
    reason = admission(bad.keys, bad.values)
    assert 0.03 < bad.corrupted / len(batch) < 0.07
    assert np.count_nonzero(reason) == bad.corrupted
    assert not reason[batch.is_fraud].any()
    assert bad == spoiled()


def test_moving_a_batch_keeps_everything_but_the_times(batches):
    batch = batches[-1]
    moved = batch.moved(1000)
    assert (moved.event_time - batch.event_time == 1000).all()
    assert (moved.label_time[batch.is_fraud] - batch.label_time[batch.is_fraud] == 1000).all()
    assert not moved.label_time[~batch.is_fraud].any()
    assert np.array_equal(moved.transaction_id, batch.transaction_id)
