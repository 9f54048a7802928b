import csv
import json
from datetime import UTC, datetime

import pyarrow.parquet
import pytest

from monitor.errors import DatasetError
from monitor.simulate.batch import ATTRIBUTES, SCENARIO_NAMES
from monitor.simulate.files import SCHEMA, write_csv, write_parquet
from monitor.simulate.messages import schema_text
from monitor.wire.columns import CHANNELS, DIRECTIONS


@pytest.fixture(scope="module")
def expected(batches, rows_of):
    """The stream's rows as a file should hold them."""
    rows = []
    for row in rows_of(batches[:12]):
        kept = {name: row[name] for name in SCHEMA.names}
        kept["direction"], kept["channel"] = DIRECTIONS[row["direction"]], CHANNELS[row["channel"]]
        kept["scenario"] = SCENARIO_NAMES[row["scenario"]] or None
        kept["attributes"] = ATTRIBUTES[row["attributes"]]
        kept["event_time"] = datetime.fromtimestamp(row["event_time"] / 1000, UTC)
        kept["label_time"] = datetime.fromtimestamp(row["label_time"] / 1000, UTC) if row["is_fraud"] else None
        rows.append(kept)
    return rows


def test_the_columns_are_the_transactions_and_the_label():
    fields = [field["name"] for field in json.loads(schema_text("transaction"))["fields"]]
    assert SCHEMA.names == [*fields, "is_fraud", "scenario", "label_time"]


def test_parquet_gives_back_what_was_written(tmp_path, batches, expected):
    path = tmp_path / "t.parquet"
    assert write_parquet(batches[:12], path) == len(expected)
    table = pyarrow.parquet.read_table(path)
    assert table.schema.names == SCHEMA.names
    found = [row | {"attributes": dict(row["attributes"])} for row in table.to_pylist()]
    assert found == expected
    assert any(row["is_fraud"] for row in found)


def test_csv_gives_back_what_was_written(tmp_path, batches, expected):
    path = tmp_path / "t.csv"
    assert write_csv(batches[:12], path) == len(expected)
    with path.open(newline="") as file:
        found = list(csv.DictReader(file))
    assert len(found) == len(expected)
    for row, wanted in zip(found, expected, strict=True):
        assert json.loads(row["attributes"]) == wanted["attributes"]
        assert int(row["amount_minor"]) == wanted["amount_minor"]
        assert datetime.fromisoformat(row["event_time"]) == wanted["event_time"]
        assert row["is_fraud"] == str(wanted["is_fraud"]).lower()
        for name in ("transaction_id", "channel", "merchant_id", "country", "idempotency_key", "scenario"):
            assert (row[name] or None) == wanted[name]


def test_equal_streams_make_equal_files(tmp_path, batches):
    for name in ("a", "b"):
        write_parquet(batches[:3], tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("write", [write_parquet, write_csv])
def test_a_file_that_cannot_be_written_is_named(tmp_path, batches, write):
    with pytest.raises(DatasetError, match="nowhere"):
        write(batches[:1], tmp_path / "nowhere" / "t")
