import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from monitor.errors import DatasetError
from monitor.guard.reasons import Reason
from monitor.learn.payments import UNKNOWN, check_columns, payments_of
from monitor.simulate.files import SCHEMA, table
from monitor.simulate.messages import schema_text, transaction_messages
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate
from monitor.wire.columns import CHANNELS, STRINGS
from monitor.wire.decode import compile_reader, decode
from monitor.wire.hashing import HashKey
from monitor.wire.records import Spans

KEY = HashKey.parse("0123456789abcdef" * 2)


@pytest.fixture(scope="module")
def batch():
    return next(iter(generate(SimulationSpec(seed=3, transactions=2_000))))


def payments(rows):
    check_columns(rows.schema.names, rows.schema.types, "here")
    return payments_of(rows, KEY, "here")


def with_column(rows, name, values, kind=None):
    place = rows.schema.get_field_index(name)
    return rows.set_column(place, name, pa.chunked_array([pa.array(values, kind or SCHEMA.field(name).type)]))


def test_a_table_gives_the_columns_that_decoding_its_avro_gives(batch):
    found = payments(table(batch)).columns
    messages = transaction_messages(batch, 1)
    decoded = decode(Spans.of(messages.values), {1: compile_reader(schema_text("transaction"))}, KEY, 1 << 20)
    for name in ("longs", "hashes", "lengths", "reason"):
        assert getattr(found, name).tobytes() == getattr(decoded, name).tobytes(), name
    for field in range(len(STRINGS)):
        for row in range(0, len(batch), 97):
            assert found.text(field, row) == decoded.text(field, row)


def test_a_slice_of_a_table_gives_the_same_as_the_rows_by_themselves(batch):
    whole, part = payments(table(batch)), payments(table(batch).slice(100, 50))
    assert part.columns.hashes.tolist() == whole.columns.hashes[:, 100:150].tolist()
    assert part.keys.all() == whole.keys.all()[100:150]
    assert part.label_time.tolist() == whole.label_time[100:150].tolist()


def test_labels_are_known_from_their_time_on_and_never_where_nobody_said_so(batch):
    found = payments(table(batch))
    assert found.fraud.tolist() == batch.is_fraud.tolist()
    assert found.label_time.tolist() == np.where(batch.is_fraud, batch.label_time, UNKNOWN).tolist()
    assert found.scenario.tolist() == batch.scenario.tolist()


def test_columns_that_may_be_null_may_be_missing(batch):
    rows = table(batch).drop_columns(["merchant_category", "ip", "attributes", "scenario", "idempotency_key"])
    found = payments(rows)
    assert (found.columns.lengths[STRINGS.index("ip")] == -1).all()
    assert (found.columns.hashes[STRINGS.index("ip")] == 0).all()
    assert not found.scenario.any()
    assert not found.columns.reason.any()


def test_times_of_any_unit_and_without_a_zone_are_utc_in_milliseconds(batch):
    rows = table(batch)
    for kind in (pa.timestamp("us"), pa.timestamp("ns", tz="UTC")):
        other = rows.set_column(2, "event_time", rows["event_time"].cast(kind))
        assert payments(other).event_time.tolist() == batch.event_time.tolist()


def test_words_may_come_from_a_dictionary_and_truth_as_one_and_zero(batch):
    rows = table(batch)
    for name in ("direction", "channel", "account_id"):
        rows = rows.set_column(rows.schema.get_field_index(name), name, rows[name].dictionary_encode())
    rows = rows.set_column(rows.schema.get_field_index("is_fraud"), "is_fraud", rows["is_fraud"].cast(pa.int64()))
    found, plain = payments(rows), payments(table(batch))
    assert found.columns.longs.tobytes() == plain.columns.longs.tobytes()
    assert found.columns.hashes.tobytes() == plain.columns.hashes.tobytes()
    assert found.fraud.tolist() == plain.fraud.tolist()


def test_a_row_that_could_not_have_been_avro_is_undecodable_and_its_neighbours_are_not(batch):
    rows = table(batch).slice(0, 4)
    rows = with_column(rows, "channel", [CHANNELS[0], "pigeon", None, CHANNELS[1]])
    rows = with_column(rows, "account_id", ["a", "b", "c", None], pa.string())
    found = payments(rows)
    assert found.columns.reason.tolist() == [0, Reason.UNDECODABLE, Reason.UNDECODABLE, Reason.UNDECODABLE]
    assert found.columns.text(STRINGS.index("account_id"), 0) == "a"
    assert found.columns.text(STRINGS.index("account_id"), 1) is None


def test_a_missing_column_is_named(batch):
    with pytest.raises(DatasetError, match="columns amount_minor, label_time missing"):
        payments(table(batch).drop_columns(["amount_minor", "label_time"]))


@pytest.mark.parametrize(
    ("name", "values", "kind", "wanted"),
    [
        ("amount_minor", [1.5], pa.float64(), "an integer"),
        ("event_time", [1], pa.int64(), "a timestamp"),
        ("account_id", [7], pa.int64(), "a string"),
        ("is_fraud", ["yes"], pa.string(), "a boolean"),
    ],
)
def test_a_column_of_another_type_is_named_with_what_was_expected(batch, name, values, kind, wanted):
    with pytest.raises(DatasetError, match=f"column {name}: .*expected {wanted}"):
        payments(with_column(table(batch).slice(0, 1), name, values, kind))


def test_labels_that_cannot_be_are_refused_with_the_first_transaction(batch):
    rows = table(batch).slice(0, 3)
    ids = rows["transaction_id"].to_pylist()
    times = rows["event_time"].to_pylist()
    unknown = with_column(with_column(rows, "is_fraud", [False, True, False]), "label_time", [None] * 3)
    with pytest.raises(DatasetError, match=f"fraud without a label_time.*{ids[1]}"):
        payments(unknown)
    early = with_column(unknown, "label_time", [None, None, times[2] - dt.timedelta(days=1)])
    with pytest.raises(DatasetError, match=f"label_time before event_time.*{ids[2]}"):
        payments(with_column(early, "is_fraud", [False] * 3))
    with pytest.raises(DatasetError, match="is_fraud: null in 1 rows"):
        payments(with_column(rows, "is_fraud", [False, None, False]))
    with pytest.raises(DatasetError, match="is_fraud: 2; expected"):
        payments(with_column(rows, "is_fraud", [0, 2, 1], pa.int8()))
