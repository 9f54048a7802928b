"""A batch as Kafka messages: keys and framed Avro values, of transactions and of labels."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache

import numpy as np

from monitor.resources import shipped
from monitor.simulate.avro_columns import ColumnWriter
from monitor.simulate.batch import ATTRIBUTES, SCENARIO_NAMES, Batch
from monitor.simulate.corrupt import KINDS, corrupt
from monitor.simulate.draws import Draws
from monitor.simulate.world import CORRUPT_STREAM
from monitor.wire.columns import CHANNELS, DIRECTIONS

LABEL_SOURCE = b"simulator"

_SCENARIOS = np.array([name.encode() for name in SCENARIO_NAMES], "S")


@dataclass(frozen=True, slots=True)
class Messages:
    """Keys and values of equal number, in order; `corrupted` of them were made unusable on purpose."""

    keys: list[bytes | None]
    values: list[bytes | None]
    corrupted: int = 0

    def __len__(self) -> int:
        return len(self.values)


def transaction_messages(batch: Batch, schema_id: int) -> Messages:
    """Every transaction of the batch, keyed by account. Pure; the bytes are those of schemas/transaction.avsc as shipped."""
    columns = {column.name: getattr(batch, column.name) for column in fields(batch)}
    return Messages(batch.account_id.tolist(), [*_transaction_writer().values(columns, schema_id)])


def label_messages(batch: Batch, schema_id: int) -> Messages:
    """The labels of the batch's fraudulent transactions, keyed by account: what schemas/label.avsc says, source `simulator`."""
    fraud = batch.rows(batch.is_fraud)
    columns = {
        "transaction_id": fraud.transaction_id,
        "account_id": fraud.account_id,
        "merchant_id": fraud.merchant_id,
        "label": np.zeros(len(fraud), np.uint8),
        "label_time": fraud.label_time,
        "source": np.full(len(fraud), LABEL_SOURCE),
        "scenario": _SCENARIOS[fraud.scenario],
    }
    return Messages(fraud.account_id.tolist(), [*_label_writer().values(columns, schema_id)])


def corrupter(seed: int, share: float) -> Callable[[Batch, Messages], Messages]:
    """A function that spoils about a `share` of the genuine messages of one batch after the other, all kinds equally often."""
    draws = Draws(seed, CORRUPT_STREAM)

    def spoil(batch: Batch, messages: Messages) -> Messages:
        chosen = np.flatnonzero(draws.chance(share, len(batch)) & ~batch.is_fraud).tolist()
        kinds = draws.below(len(KINDS), len(chosen)).tolist()
        for row, kind in zip(chosen, kinds, strict=True):
            value = messages.values[row]
            assert value is not None
            messages.keys[row], messages.values[row] = corrupt((messages.keys[row], value), KINDS[kind], draws)
        return Messages(messages.keys, messages.values, messages.corrupted + len(chosen))

    return spoil


def schema_text(name: str) -> str:
    """The shipped schema `name` (transaction, label): what the messages are written with."""
    return (shipped("schemas") / f"{name}.avsc").read_text()


@cache
def _transaction_writer() -> ColumnWriter:
    symbols = {"direction": DIRECTIONS, "channel": CHANNELS}
    return ColumnWriter(schema_text("transaction"), symbols, {"attributes": ATTRIBUTES})


@cache
def _label_writer() -> ColumnWriter:
    return ColumnWriter(schema_text("label"), {"label": ("fraud", "genuine")})
