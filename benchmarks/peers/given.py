"""What the Python peers are given: the job's files, and the parts of it that are no framework's business. Needs fastavro and numpy."""

import io
import json
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import fastavro
import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]
FRAME = 5
"""Bytes of Confluent's header: a zero and the schema id."""
ALERT_HEADER = b"\0" + (5).to_bytes(4, "big")


def _schema(path: str) -> Any:
    return fastavro.parse_schema(_without_logical_types(json.loads((ROOT / path).read_text())))


def _without_logical_types(schema: Any) -> Any:
    """A datetime for each event time costs a microsecond, and nobody here wants one."""
    if isinstance(schema, dict):
        return {name: _without_logical_types(part) for name, part in schema.items() if name != "logicalType"}
    return [_without_logical_types(part) for part in schema] if isinstance(schema, list) else schema


TRANSACTION = _schema("schemas/transaction.avsc")
ALERT = _schema("benchmarks/race/alert.avsc")
CHANNELS = {name: number for number, name in enumerate(("card", "transfer", "direct_debit", "wallet", "on_chain"))}


@dataclass(frozen=True)
class Given:
    """The arguments of a peer's process, and the job they name."""

    brokers: str
    name: str
    topic: str
    alerts: str
    job: Path
    progress: Path
    directory: Path

    @classmethod
    def arguments(cls) -> "Given":
        brokers, name, topic, alerts, job, progress, directory = sys.argv[1:8]
        return cls(brokers, name, topic, alerts, Path(job), Path(progress), Path(directory))

    @cached_property
    def facts(self) -> dict[str, Any]:
        """threshold, version, features, rates."""
        return dict(json.loads((self.job / "job.json").read_text()))

    @cached_property
    def training(self) -> NDArray[np.float32]:
        """The rows that the forest was fitted to, float32[n, features]."""
        rows: NDArray[np.float32] = np.load(self.job / "training.npy")
        return rows

    @cached_property
    def threshold(self) -> float:
        return float(self.facts["threshold"])

    def base_amount(self, amount_minor: int, currency: str) -> int:
        """Minor units of the base currency, rounded half to even."""
        numerator, denominator = self.facts["rates"][currency]
        whole, rest = divmod(amount_minor * numerator, denominator)
        return int(whole + (2 * rest > denominator or (2 * rest == denominator and whole % 2 == 1)))

    def alert(self, transaction: dict[str, Any], score: float, partition: int, offset: int) -> bytes:
        """benchmarks/race/alert.avsc, framed."""
        out = io.BytesIO()
        out.write(ALERT_HEADER)
        record = {
            "transaction_id": transaction["transaction_id"],
            "account_id": transaction["account_id"],
            "event_time": transaction["event_time"],
            "anomaly_score": score,
            "threshold": self.threshold,
            "model_version": self.facts["version"],
            "amount_minor": transaction["amount_minor"],
            "currency": transaction["currency"],
            "channel": CHANNELS[transaction["channel"]],
            "source_topic": self.topic,
            "source_partition": partition,
            "source_offset": offset,
        }
        fastavro.schemaless_writer(out, ALERT, record)
        return out.getvalue()


def read_transaction(value: bytes) -> dict[str, Any]:
    """The Avro record, `event_time` in ms."""
    found: Any = fastavro.schemaless_reader(io.BytesIO(value[FRAME:]), TRANSACTION, None)
    return found  # type: ignore[no-any-return]
