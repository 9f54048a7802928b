"""Labels: what was found out about transactions later, by whom, and when it became known (schemas/label.avsc).

One transaction may be labelled several times. The last label counts, from the moment on at which its verdict was first given without being
taken back since. Two verdicts of one moment contradict each other, and are an error: nobody could say what was known then.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from monitor.errors import DatasetError
from monitor.learn.payments import TIME, UNKNOWN
from monitor.wire.records import Spans

FRAUD, GENUINE = "fraud", "genuine"
VERDICTS = (FRAUD, GENUINE)
"""The symbols of `label` in schemas/label.avsc."""

REQUIRED = ("transaction_id", "account_id", "label", "label_time", "source")


class Label(NamedTuple):
    """One label, as schemas/label.avsc has it; `label_time` ms."""

    transaction_id: str
    account_id: str
    merchant_id: str | None
    label: str
    label_time: int
    source: str


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Of labelled transactions: whether each is fraud, and since when that is known (ms), by transaction id."""

    known: dict[bytes, tuple[bool, int]]

    @classmethod
    def of(cls, labels: Iterable[Label]) -> "Verdicts":
        """The labels' sum. Raises `DatasetError` for two verdicts of one moment."""
        latest: dict[str, tuple[bool, int, int]] = {}
        for label in sorted(labels, key=lambda each: each.label_time):
            fraud, before = label.label == FRAUD, latest.get(label.transaction_id)
            if before is None or before[0] != fraud:
                if before is not None and before[2] == label.label_time:
                    raise DatasetError(
                        f"labels: transaction {label.transaction_id} is fraud and genuine at {label.label_time}; withdraw one of the two"
                    )
                latest[label.transaction_id] = (fraud, label.label_time, label.label_time)
            else:
                latest[label.transaction_id] = (fraud, before[1], label.label_time)
        return cls({name.encode(): (fraud, since) for name, (fraud, since, _) in latest.items()})

    def __len__(self) -> int:
        return len(self.known)

    def of_transactions(self, ids: Spans) -> tuple[NDArray[np.bool_], NDArray[np.int64], int]:
        """Of `n` transactions: fraud bool[n], label time int64[n] (`UNKNOWN` for those without), and how many are labelled."""
        found = [self.known.get(name or b"", (False, UNKNOWN)) for name in ids.all()]
        fraud = np.fromiter((each for each, _ in found), np.bool_, len(found))
        known = np.fromiter((each for _, each in found), np.int64, len(found))
        return fraud, known, int((known != UNKNOWN).sum())


def read_labels(path: Path) -> list[Label]:
    """Labels from Parquet or CSV with the columns `REQUIRED`, and `merchant_id` if it is there. Raises `DatasetError`."""
    try:
        table = _table(path)
    except (OSError, pa.ArrowException) as error:
        raise DatasetError(f"{path}: cannot be read: {error}") from None
    missing = [name for name in REQUIRED if name not in table.column_names]
    if missing:
        raise DatasetError(f"{path}: columns {', '.join(missing)} missing; docs/labels.md lists what is needed")
    for name in REQUIRED:
        if table[name].null_count:
            raise DatasetError(f"{path}: {name}: null in {table[name].null_count} rows; a label says all of it")
    if not pa.types.is_timestamp(table["label_time"].type):
        raise DatasetError(f"{path}: label_time: {table['label_time'].type}, expected a timestamp")
    odd = pc.unique(table["label"].cast(pa.string())).to_pylist()
    if set(odd) - set(VERDICTS):
        raise DatasetError(f"{path}: label: {sorted(set(odd) - set(VERDICTS))[0]!r}; write fraud or genuine")
    times = table["label_time"].cast(TIME, safe=False).cast(pa.int64()).to_pylist()
    names = [table[name].cast(pa.string()).to_pylist() for name in ("transaction_id", "account_id", "label", "source")]
    merchants = (
        table["merchant_id"].cast(pa.string()).to_pylist()
        if "merchant_id" in table.column_names
        else [None] * len(times)
    )
    return [
        Label(transaction, account, merchant, label, time, source)
        for transaction, account, label, source, time, merchant in zip(*names, times, merchants, strict=True)
    ]


def _table(path: Path) -> pa.Table:
    if path.suffix.lower() != ".csv":
        return pyarrow.parquet.read_table(path)
    types = dict.fromkeys(("transaction_id", "account_id", "merchant_id", "label", "source"), pa.string())
    options = pyarrow.csv.ConvertOptions(column_types=types, strings_can_be_null=True)
    return pyarrow.csv.read_csv(path, convert_options=options)
