"""Payments with their labels, as columns: what an Arrow table of the documented columns becomes on its way to the kernels that serve.

The documented columns are those of `monitor/simulate/files.py`: the fields of schemas/transaction.avsc, then `is_fraud`, `scenario`
and `label_time`. A field that the schema lets be null may be missing. What serving would dead-letter is rejected here with the same
reasons; what contradicts itself as a label is an error, since no figure that rests on it would mean anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from monitor.errors import DatasetError
from monitor.guard.reasons import Reason
from monitor.simulate.batch import SCENARIO_NAMES
from monitor.wire import columns as cells
from monitor.wire.columns import CHANNELS, DIRECTIONS, LONGS, STRINGS, Columns
from monitor.wire.decode import NO_ID
from monitor.wire.hashing import HashKey, hash_rows
from monitor.wire.records import Spans

UNKNOWN = np.iinfo(np.int64).max
"""The label time of what nobody ever labelled: after every other."""

TIME = pa.timestamp("ms", tz="UTC")

REQUIRED = ("transaction_id", "account_id", "event_time", "amount_minor", "currency", "direction", "channel")
NULLABLE = ("merchant_id", "merchant_category", "country", "device_id", "ip", "idempotency_key")
LABELS = ("is_fraud", "label_time")
OPTIONAL = (*NULLABLE, "scenario")


@dataclass(frozen=True, slots=True)
class Payments:
    """`n` payments in order: `columns` as decoding gives them; `fraud` bool[n]; `label_time` int64[n], ms, when that became known,
    `UNKNOWN` for what is genuine because nobody said otherwise; `scenario` uint8[n] into the simulator's `SCENARIO_NAMES`, 0 for none.
    """

    columns: Columns
    fraud: NDArray[np.bool_]
    label_time: NDArray[np.int64]
    scenario: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def event_time(self) -> NDArray[np.int64]:
        """int64[n], ms."""
        times: NDArray[np.int64] = self.columns.longs[cells.EVENT_TIME]
        return times

    @property
    def keys(self) -> Spans:
        """The Kafka keys that the payments would have: their accounts."""
        columns = self.columns
        return Spans(columns.data, columns.starts[cells.ACCOUNT_ID], columns.lengths[cells.ACCOUNT_ID].astype(np.int64))


def check_columns(names: Sequence[str], types: Sequence[pa.DataType], where: str) -> None:
    """Raise `DatasetError` unless the documented columns are there and hold what they should."""
    have = dict(zip(names, types, strict=True))
    missing = [name for name in (*REQUIRED, *LABELS) if name not in have]
    if missing:
        raise DatasetError(
            f"{where}: columns {', '.join(missing)} missing, among {', '.join(names)}; docs/data.md lists what is needed"
        )
    for name, kind in have.items():
        wanted = _wanted(name)
        if wanted and not _fits(kind, wanted):
            raise DatasetError(
                f"{where}: column {name}: {kind}, expected {wanted}; docs/data.md says how to convert it"
            )


def payments_of(table: pa.Table, key: HashKey, where: str) -> Payments:
    """The payments of a table that `check_columns` has passed, in its order. Raises `DatasetError` for labels that cannot be.

    `where` names the table in errors. A row that could not have been a transaction's Avro has reason UNDECODABLE.
    """
    longs = np.zeros((len(LONGS), table.num_rows), np.int64)
    reason = np.zeros(table.num_rows, np.uint8)
    longs[cells.EVENT_TIME] = _numbers(table["event_time"].cast(TIME, safe=False).cast(pa.int64()), reason)
    longs[cells.AMOUNT_MINOR] = _numbers(table["amount_minor"].cast(pa.int64()), reason)
    for place, words in ((cells.DIRECTION, DIRECTIONS), (cells.CHANNEL, CHANNELS)):
        longs[place] = _numbers(pc.index_in(_plain(table[LONGS[place]]), value_set=pa.array(words)), reason)
    texts = [_text(table, name) for name in STRINGS]
    for place, name in enumerate(STRINGS):
        if name in REQUIRED:
            reason[texts[place].lengths < 0] = Reason.UNDECODABLE
    columns = _hashed(longs, texts, reason, key)
    fraud, label_time = _labels(table, longs[cells.EVENT_TIME], where)
    return Payments(columns, fraud, label_time, _scenarios(table))


def _hashed(longs: NDArray[np.int64], texts: list[Spans], reason: NDArray[np.uint8], key: HashKey) -> Columns:
    n = longs.shape[1]
    data = np.concatenate([text.data for text in texts])
    shifts = np.cumsum([0, *(len(text.data) for text in texts[:-1])])
    starts = np.stack([text.starts + shift for text, shift in zip(texts, shifts, strict=True)])
    lengths = np.stack([text.lengths for text in texts]).astype(np.int32)
    hashes = np.zeros(starts.shape, np.uint64)
    good = np.flatnonzero(reason == 0)
    hash_rows(data, good, starts, lengths, hashes, key.k0, key.k1)
    bad = reason != 0
    for cleared in (longs, starts, hashes):
        cleared[:, bad] = 0
    lengths[:, bad] = -1
    return Columns(data, longs, starts, lengths, hashes, reason, np.full(n, NO_ID, np.int32))


def _labels(table: pa.Table, event_time: NDArray[np.int64], where: str) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    column = table["is_fraud"]
    if column.null_count:
        raise DatasetError(f"{where}: is_fraud: null in {column.null_count} rows; say true or false, or leave them out")
    values = column.to_numpy()
    if not np.isin(values, (0, 1)).all():
        raise DatasetError(
            f"{where}: is_fraud: {int(values[~np.isin(values, (0, 1))][0])}; expected true or false, 1 or 0"
        )
    fraud = values.astype(np.bool_)
    known = table["label_time"].cast(TIME, safe=False).cast(pa.int64()).combine_chunks()
    label_time: NDArray[np.int64] = known.fill_null(UNKNOWN).to_numpy(zero_copy_only=False).astype(np.int64)
    for wrong, problem in (
        (fraud & (label_time == UNKNOWN), "fraud without a label_time: nobody could know when it may be used"),
        ((label_time < event_time), "label_time before event_time: known before it happened"),
    ):
        if wrong.any():
            first = table["transaction_id"][int(np.flatnonzero(wrong)[0])].as_py()
            raise DatasetError(f"{where}: {int(wrong.sum())} rows: {problem}; the first is transaction {first}")
    return fraud, label_time


def _scenarios(table: pa.Table) -> NDArray[np.uint8]:
    if "scenario" not in table.column_names:
        return np.zeros(table.num_rows, np.uint8)
    found = pc.index_in(_plain(table["scenario"]), value_set=pa.array(SCENARIO_NAMES[1:]))
    numbers: NDArray[np.int64] = found.fill_null(-1).combine_chunks().to_numpy(zero_copy_only=False)
    return (numbers + 1).astype(np.uint8)


def _numbers(column: pa.ChunkedArray, reason: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The column's integers, 0 for null; a null is a row that Avro could not have held."""
    array = column.combine_chunks()
    if array.null_count:
        reason[array.is_null().to_numpy(zero_copy_only=False)] = Reason.UNDECODABLE
        array = array.fill_null(0)
    numbers: NDArray[np.int64] = array.to_numpy(zero_copy_only=False).astype(np.int64)
    return numbers


def _text(table: pa.Table, name: str) -> Spans:
    n = table.num_rows
    if name not in table.column_names:
        return Spans(np.zeros(0, np.uint8), np.zeros(n, np.int64), np.full(n, -1, np.int64))
    array = _plain(table[name]).cast(pa.large_string()).combine_chunks()
    _, ends, data = array.buffers()
    offsets = np.frombuffer(ends, np.int64, n + 1, 8 * array.offset)
    lengths = np.diff(offsets)
    if array.null_count:
        lengths[array.is_null().to_numpy(zero_copy_only=False)] = -1
    whole = np.zeros(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)
    return Spans(whole[offsets[0] : offsets[-1]], offsets[:-1] - offsets[0], lengths)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _wanted(name: str) -> str:
    if name in ("event_time", "label_time"):
        return "a timestamp"
    if name == "amount_minor":
        return "an integer"
    if name == "is_fraud":
        return "a boolean"
    return "a string" if name in (*REQUIRED, *OPTIONAL) else ""


def _fits(kind: Any, wanted: str) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    checks = {
        "a timestamp": pa.types.is_timestamp(kind) or pa.types.is_null(kind),
        "an integer": pa.types.is_integer(kind),
        "a boolean": pa.types.is_boolean(kind) or pa.types.is_integer(kind),
        "a string": pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind),
    }
    return bool(checks[wanted])
