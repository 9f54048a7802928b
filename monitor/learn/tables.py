"""Files of payments, Parquet or CSV, read in event-time order, a slice at a time.

Whatever their size and order: event times alone are read first. If they ascend, the files stream through as they are. If not, the
times are cut into spans of at most `SLICE_ROWS`, and each span is read by itself and sorted; rows of one time keep the order of
the files. So memory holds a slice, and eight bytes a row while the spans are cut.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.dataset
from numpy.typing import NDArray

from monitor.errors import DatasetError
from monitor.learn.payments import LABELS, OPTIONAL, REQUIRED, TIME, Payments, check_columns, payments_of
from monitor.wire.hashing import HashKey

SLICE_ROWS = 250_000
"""Payments in memory at a time, some 100 MB with their features."""

_READ_AHEAD = {"batch_readahead": 1, "fragment_readahead": 1}
"""By default sixteen batches are read ahead: a gigabyte."""

FIRST, LAST = np.iinfo(np.int64).min, np.iinfo(np.int64).max

_CSV_TYPES = {"amount_minor": pa.int64()} | {
    name: pa.string() for name in (*REQUIRED, *OPTIONAL) if name not in ("amount_minor", "event_time")
}
"""Stated, since guesses are of a file's beginning: an id of digits, or a column that is empty there, would be another type."""


@dataclass(frozen=True, slots=True)
class Tables:
    """Opened files: `rows` payments between `first_ms` and `last_ms` (inclusive); `edges` int64[s + 1] cut their times into slices, None where they ascend."""

    dataset: pyarrow.dataset.Dataset
    where: str
    rows: int
    first_ms: int
    last_ms: int
    edges: NDArray[np.int64] | None

    @classmethod
    def open(cls, paths: Sequence[Path], from_ms: int | None = None, to_ms: int | None = None) -> "Tables":
        """The files, of one kind and with equal columns; payments from `from_ms` on and before `to_ms` only. Raises `DatasetError`."""
        where = ", ".join(str(path) for path in paths)
        try:
            dataset = _opened(paths)
            check_columns(dataset.schema.names, dataset.schema.types, where)
            times = _times(dataset, where)
        except (OSError, pa.ArrowException) as error:
            raise DatasetError(f"{where}: cannot be read as {_kind(paths)}: {error}") from None
        whole, times = times, times[(times >= _or(from_ms, FIRST)) & (times < _or(to_ms, LAST))]
        if not times.size:
            raise DatasetError(f"{where}: no payments in the time asked for; widen --from and --to")
        ascend = bool((np.diff(whole) >= 0).all())
        first, last = int(times.min()), int(times.max())
        return cls(dataset, where, times.size, first, last, None if ascend else _edges(times))

    def slices(self, key: HashKey) -> Iterator[Payments]:
        """All payments in order of event time, text hashed with `key`. Raises `DatasetError`."""
        try:
            for table in self._tables():
                yield payments_of(table, key, self.where)
        except (OSError, pa.ArrowException) as error:
            raise DatasetError(f"{self.where}: cannot be read to the end: {error}") from None

    def _tables(self) -> Iterator[pa.Table]:
        columns = [name for name in (*REQUIRED, *OPTIONAL, *LABELS) if name in self.dataset.schema.names]
        if self.edges is None:
            chosen = _between(self.first_ms, self.last_ms + 1)
            batches = self.dataset.to_batches(
                columns=columns, filter=chosen, batch_size=SLICE_ROWS, use_threads=False, **_READ_AHEAD
            )
            yield from (pa.Table.from_batches([batch]) for batch in batches if batch.num_rows)
            return
        for start, end in zip(self.edges[:-1].tolist(), self.edges[1:].tolist(), strict=True):
            table = self.dataset.to_table(columns=columns, filter=_between(start, end), use_threads=False)
            times = table["event_time"].cast(TIME, safe=False).cast(pa.int64()).to_numpy()
            yield table.take(pa.array(np.argsort(times, kind="stable")))


def _opened(paths: Sequence[Path]) -> pyarrow.dataset.Dataset:
    missing = [str(path) for path in paths if not path.exists()]
    if missing or not paths:
        raise DatasetError(
            f"{', '.join(missing) or 'no file'}: not there; name Parquet or CSV files, or a directory of them"
        )
    sources = str(paths[0]) if len(paths) == 1 else [str(path) for path in paths]
    if _kind(paths) == "parquet":
        return pyarrow.dataset.dataset(sources, format="parquet")
    guessed = pyarrow.dataset.dataset(sources, format=_csv(_CSV_TYPES)).schema
    place = guessed.get_field_index("event_time")
    if place < 0 or not pa.types.is_timestamp(guessed.types[place]):
        return pyarrow.dataset.dataset(
            sources, format=_csv(_CSV_TYPES)
        )  # for the check of columns to say what is wrong
    time = pa.timestamp("ns", tz=guessed.types[place].tz)  # with a zone or without: a CSV has the one or the other
    return pyarrow.dataset.dataset(sources, format=_csv(_CSV_TYPES | {"event_time": time, "label_time": time}))


def _csv(types: Mapping[str, pa.DataType]) -> pyarrow.dataset.CsvFileFormat:
    options = pa.csv.ConvertOptions(column_types=types, strings_can_be_null=True)
    return pyarrow.dataset.CsvFileFormat(convert_options=options)


def _kind(paths: Sequence[Path]) -> str:
    """`csv` when any file is named so, else `parquet`."""
    files = [file for path in paths for file in (path.rglob("*") if path.is_dir() else (path,))]
    return "csv" if any(file.suffix.lower() == ".csv" for file in files) else "parquet"


def _between(from_ms: int, to_ms: int) -> pc.Expression:
    """Event times from the one on and before the other."""
    time = pc.field("event_time").cast(TIME, safe=False)
    return (time >= pa.scalar(from_ms, TIME)) & (time < pa.scalar(to_ms, TIME))


def _or(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value


def _times(dataset: pyarrow.dataset.Dataset, where: str) -> NDArray[np.int64]:
    parts = []
    for batch in dataset.to_batches(columns=["event_time"], use_threads=False):
        times = batch.column(0).cast(TIME, safe=False).cast(pa.int64())
        if times.null_count:
            raise DatasetError(f"{where}: event_time: null in {times.null_count} rows; a replay needs to know when")
        parts.append(times.to_numpy())
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _edges(times: NDArray[np.int64]) -> NDArray[np.int64]:
    """Cuts such that between two there are about `SLICE_ROWS` times, more where one time has more."""
    ascending = np.sort(times)
    return np.unique(np.append(ascending[::SLICE_ROWS], ascending[-1] + 1))
