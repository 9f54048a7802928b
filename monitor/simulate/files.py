"""Batches as Parquet or CSV: the transaction schema's columns, then is_fraud, scenario and label_time.

Text null is null; `event_time` and `label_time` are UTC timestamps in ms; `attributes` is a map in Parquet, JSON in CSV; `scenario`
and `label_time` are null for genuine payments. Equal specs give equal files, with the same pyarrow.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from monitor.errors import DatasetError
from monitor.simulate.batch import ATTRIBUTES, SCENARIO_NAMES, Batch
from monitor.wire.columns import CHANNELS, DIRECTIONS

_TIME = pa.timestamp("ms", tz="UTC")
_MAP = pa.map_(pa.string(), pa.string())

SCHEMA: pa.Schema = pa.schema(
    [
        pa.field("transaction_id", pa.string(), nullable=False),
        pa.field("account_id", pa.string(), nullable=False),
        pa.field("event_time", _TIME, nullable=False),
        pa.field("amount_minor", pa.int64(), nullable=False),
        pa.field("currency", pa.string(), nullable=False),
        pa.field("direction", pa.string(), nullable=False),
        pa.field("channel", pa.string(), nullable=False),
        pa.field("merchant_id", pa.string()),
        pa.field("merchant_category", pa.string()),
        pa.field("country", pa.string()),
        pa.field("device_id", pa.string()),
        pa.field("ip", pa.string()),
        pa.field("idempotency_key", pa.string()),
        pa.field("attributes", _MAP, nullable=False),
        pa.field("is_fraud", pa.bool_(), nullable=False),
        pa.field("scenario", pa.string()),
        pa.field("label_time", _TIME),
    ]
)
"""The columns of the files, in order."""

_VOCABULARIES = {"direction": DIRECTIONS, "channel": CHANNELS}


def table(batch: Batch) -> pa.Table:
    """The batch as an Arrow table of `SCHEMA`."""
    columns = []
    for field in SCHEMA:
        column = getattr(batch, field.name)
        if field.name in _VOCABULARIES:
            columns.append(_words(_VOCABULARIES[field.name], column))
        elif field.name == "scenario":
            columns.append(_words([None, *SCENARIO_NAMES[1:]], column))
        elif field.name == "attributes":
            columns.append(pa.array([list(entries.items()) for entries in ATTRIBUTES], _MAP).take(pa.array(column)))
        elif field.name == "label_time":
            columns.append(pa.array(column, _TIME, mask=~batch.is_fraud))
        elif field.type == pa.string():
            columns.append(pa.array(column, pa.binary(), mask=np.char.str_len(column) == 0).cast(pa.string()))
        else:
            columns.append(pa.array(column, field.type))
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def write_parquet(batches: Iterable[Batch], path: Path) -> int:
    """Write all batches, a row group each, and return how many rows. Raises `DatasetError` when the file cannot be written."""
    rows = 0
    try:
        with pa.parquet.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
            for batch in batches:
                writer.write_table(table(batch))
                rows += len(batch)
    except OSError as error:
        raise _unwritable(path, error) from error
    return rows


def write_csv(batches: Iterable[Batch], path: Path) -> int:
    """Write all batches under one header line, and return how many rows. Raises `DatasetError` when the file cannot be written."""
    rows = 0
    schema = SCHEMA.set(SCHEMA.get_field_index("attributes"), pa.field("attributes", pa.string()))
    maps = [json.dumps(entries) for entries in ATTRIBUTES]
    try:
        with pa.csv.CSVWriter(path, schema) as writer:
            for batch in batches:
                position = schema.get_field_index("attributes")
                writer.write_table(table(batch).set_column(position, "attributes", _words(maps, batch.attributes)))
                rows += len(batch)
    except OSError as error:
        raise _unwritable(path, error) from error
    return rows


def _words(vocabulary: Any, codes: NDArray[np.uint8]) -> pa.Array:
    return pa.array(list(vocabulary), pa.string()).take(pa.array(codes))


def _unwritable(path: Path, error: OSError) -> DatasetError:
    return DatasetError(f"file {path}: cannot be written ({error}); name one in a directory that exists and has room")
