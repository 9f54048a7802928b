"""Payments and labels from their topics, as a Parquet file of the documented columns (docs/data.md).

Everything that learns reads files: so what comes from Kafka takes the same way, in the same order, with the same checks.
"""

import io
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fastavro
import numpy as np
import pyarrow as pa
import pyarrow.parquet
from confluent_kafka import OFFSET_BEGINNING
from numpy.typing import NDArray

from monitor.clock import SystemClock
from monitor.errors import DatasetError
from monitor.guard.reasons import Reason
from monitor.learn.labels import Label, Verdicts
from monitor.learn.payments import NULLABLE, TIME, UNKNOWN
from monitor.learn.play import HASH_KEY
from monitor.settings import Settings
from monitor.wire import columns as cells
from monitor.wire.columns import CHANNELS, DIRECTIONS, STRINGS, Columns
from monitor.wire.committed import committed, partitions_of
from monitor.wire.decode import NO_ID, decode, schema_ids
from monitor.wire.framing import HEADER_BYTES
from monitor.wire.gather import gathered
from monitor.wire.kafka_config import client_config
from monitor.wire.kafka_log import KafkaLog
from monitor.wire.records import Spans
from monitor.wire.schema_cache import ReaderCache
from monitor.wire.schema_source import SchemaSource, open_source

SCHEMA: pa.Schema = pa.schema(
    [
        *(pa.field(name, pa.large_string(), nullable=name in NULLABLE) for name in STRINGS),
        pa.field("event_time", TIME, nullable=False),
        pa.field("amount_minor", pa.int64(), nullable=False),
        pa.field("direction", pa.string(), nullable=False),
        pa.field("channel", pa.string(), nullable=False),
        pa.field("is_fraud", pa.bool_(), nullable=False),
        pa.field("label_time", TIME),
    ]
)
"""The columns of the files."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: `payments`, of which `labelled`; `undecodable` by reason code were left out; `strangers`: labels of none of them."""

    payments: int
    labelled: int
    strangers: int
    undecodable: dict[str, int]


def export(
    settings: Settings,
    path: Path,
    from_ms: int | None = None,
    to_ms: int | None = None,
    on_progress: Callable[[int], None] = lambda _records: None,
) -> Exported:
    """Write the payments of the transactions topic whose event times are in range, with what the labels topic says of them, to `path`,
    which is replaced whole or not at all.

    `on_progress` hears how many records were read. Raises `BrokerError`, `TopicError`, `SchemaError`, and `DatasetError` when no payment is in range.
    """
    source = open_source(settings)
    verdicts = Verdicts.of(labels_of(settings))
    cache = ReaderCache(source, SystemClock(), asking_s=math.inf)  # nobody waits for it
    undecodable: Counter[str] = Counter()
    payments, labelled = 0, 0
    with _whole(path) as waiting, pyarrow.parquet.ParquetWriter(waiting, SCHEMA) as writer:
        for values in _values(settings, from_ms):
            on_progress(len(values))
            ids = set(np.unique(schema_ids(values)).tolist()) - {NO_ID}
            columns = decode(values, cache.resolve(ids), HASH_KEY, settings.max_value_bytes)
            for reason, count in zip(*np.unique(columns.reason, return_counts=True), strict=True):
                if reason:
                    undecodable[Reason(int(reason)).code] += int(count)
            rows = np.flatnonzero((columns.reason == 0) & _within(columns.longs[cells.EVENT_TIME], from_ms, to_ms))
            ids_of = _spans(columns, cells.TRANSACTION_ID, rows)
            fraud, known, count = verdicts.of_transactions(ids_of)
            if rows.size:
                writer.write_table(_table(columns, rows, fraud, known))
            payments, labelled = payments + rows.size, labelled + count
        if not payments:
            raise DatasetError(
                f"{settings.topic_transactions}: no payments in the time asked for; widen --since and --until"
            )
    return Exported(payments, labelled, len(verdicts) - labelled, dict(undecodable))


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Where to write what becomes `path` once it is whole; nothing is left of what did not."""
    waiting = path.with_name(f".{path.name}.new")
    try:
        yield waiting
        waiting.replace(path)
    except OSError as error:
        raise DatasetError(
            f"{path}: cannot be written ({error.strerror or error}); make room, or name another file"
        ) from None
    finally:
        waiting.unlink(missing_ok=True)


def _values(settings: Settings, from_ms: int | None) -> Iterator[Spans]:
    """The topic's values, in batches, partition by partition, from where event times of `from_ms` can begin."""
    topic, log = settings.topic_transactions, KafkaLog(client_config(settings))
    for partition in partitions_of(settings, topic):
        start = OFFSET_BEGINNING
        if from_ms is not None:  # a record is written after its event, but for clocks that differ
            start = log.offset_at_time(topic, partition, from_ms - settings.future_skew_s * 1000)
        for batch in committed(settings, topic, partition, start):
            yield Spans.of([message.value() for message in batch])


def labels_of(settings: Settings) -> Iterator[Label]:
    """All labels of the topic. Raises `DatasetError` for one that cannot be read."""
    source = open_source(settings)
    schemas: dict[int, Any] = {}
    for partition in partitions_of(settings, settings.topic_labels):
        for batch in committed(settings, settings.topic_labels, partition):
            for message in batch:
                yield _label(message, source, schemas)


def _label(message: Any, source: SchemaSource, schemas: dict[int, Any]) -> Label:
    value = message.value() or b""
    (schema_id,) = schema_ids(Spans.of([value])).tolist()
    try:
        if schema_id not in schemas:
            schemas[schema_id] = fastavro.parse_schema(json.loads(source.writer_schema(schema_id)))
        entry: Any = fastavro.schemaless_reader(io.BytesIO(value[HEADER_BYTES:]), schemas[schema_id], None)
        moment = entry["label_time"]
        time_ms = moment if isinstance(moment, int) else round(moment.timestamp() * 1000)
        return Label(**{name: entry[name] for name in Label._fields if name != "label_time"}, label_time=time_ms)
    except (ValueError, KeyError, EOFError, IndexError, TypeError) as error:
        raise DatasetError(
            f"{message.topic()}[{message.partition()}] offset {message.offset()}: not a label ({error}); see docs/labels.md"
        ) from None


def _within(times: NDArray[np.int64], from_ms: int | None, to_ms: int | None) -> NDArray[np.bool_]:
    inside = np.ones(len(times), np.bool_)
    if from_ms is not None:
        inside &= times >= from_ms
    if to_ms is not None:
        inside &= times < to_ms
    return inside


def _table(columns: Columns, rows: NDArray[np.int64], fraud: NDArray[np.bool_], known: NDArray[np.int64]) -> pa.Table:
    arrays = {name: _texts(_spans(columns, place, rows)) for place, name in enumerate(STRINGS)}
    arrays["event_time"] = pa.array(columns.longs[cells.EVENT_TIME][rows]).cast(TIME)
    arrays["amount_minor"] = pa.array(columns.longs[cells.AMOUNT_MINOR][rows])
    for name, place, words in (("direction", cells.DIRECTION, DIRECTIONS), ("channel", cells.CHANNEL, CHANNELS)):
        arrays[name] = pa.array(words).take(pa.array(columns.longs[place][rows]))
    arrays["is_fraud"] = pa.array(fraud)
    arrays["label_time"] = pa.array(known, mask=known == UNKNOWN).cast(TIME)
    return pa.Table.from_arrays([arrays[name] for name in SCHEMA.names], schema=SCHEMA)


def _spans(columns: Columns, field: int, rows: NDArray[np.int64]) -> Spans:
    return Spans(columns.data, columns.starts[field][rows], columns.lengths[field][rows].astype(np.int64))


def _texts(spans: Spans) -> pa.Array:
    """The strings as Arrow keeps them; null for null."""
    ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.maximum(spans.lengths, 0))])
    null = spans.lengths < 0
    valid = pa.array(~null).buffers()[1] if null.any() else None
    data = pa.py_buffer(gathered(spans.data, spans.starts, spans.lengths))
    return pa.Array.from_buffers(pa.large_string(), len(spans), [valid, pa.py_buffer(ends), data])
