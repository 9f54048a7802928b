"""What came of it: counts from the audit log, alerts as a consumer sees them, and both held against the simulator's labels."""

import json
import threading
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, KafkaError, TopicPartition

from monitor.effects.block import read_block
from monitor.settings import Settings
from monitor.state.dispositions import is_withheld
from monitor.wire.kafka_config import consumer_config
from monitor.wire.our_records import read_record

LATEST_ALERTS = 50


@dataclass
class Tally:
    """Counts so far; a thread may count while another reads. `audited` is the last decided offset by partition, `alerts_due` what the
    audit log says was emitted, `alerts` those read, each once, `repeated` those that came again; `withheld_due` and `withheld` the same of alerts that were recorded and not sent; `alerted` the transactions' ids
    of both, and `frauds` the labelled ids with their scenario.
    """

    transactions_in: int = 0
    scored: int = 0
    duplicates: int = 0
    dead_letters: int = 0
    audited: dict[int, int] = field(default_factory=dict)
    alerts_due: int = 0
    alerts: int = 0
    repeated: int = 0
    withheld_due: int = 0
    withheld: int = 0
    alerted: set[str] = field(default_factory=set)
    latest: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=LATEST_ALERTS))
    frauds: dict[str, str] = field(default_factory=dict)
    _seen: set[uuid.UUID] = field(default_factory=set)  # alert ids

    @property
    def reconciles(self) -> bool:
        """Whether everything that went in is accounted for, and no alert came twice."""
        return self.transactions_in == self.scored + self.duplicates + self.dead_letters and not self.repeated

    @property
    def has_every_alert(self) -> bool:
        """Whether every alert that the audit log speaks of was read, sent or withheld."""
        return (self.alerts, self.withheld) == (self.alerts_due, self.withheld_due)

    def precision_and_recall(self) -> tuple[float | None, float | None]:
        """Of what was alerted, sent or withheld, by transaction, against the labels; None where there is nothing to divide by."""
        hits = len(self.alerted.intersection(self.frauds))
        precision = hits / len(self.alerted) if self.alerted else None
        recall = hits / len(self.frauds) if self.frauds else None
        return precision, recall

    def summary(self, seconds: float) -> dict[str, Any]:
        """The line that `monitor demo --json` ends with."""
        precision, recall = self.precision_and_recall()
        return {
            "transactions_in": self.transactions_in,
            "scored": self.scored,
            "duplicates": self.duplicates,
            "dead_letters": self.dead_letters,
            "alerts": self.alerts,
            "withheld": self.withheld,
            "seconds": round(seconds, 2),
            "precision": None if precision is None else round(precision, 4),
            "recall": None if recall is None else round(recall, 4),
            "reconciles": self.reconciles and self.has_every_alert,
        }

    def note_block(self, value: bytes) -> None:
        """Count one audit block."""
        block = read_block(value)
        self.transactions_in += block.records
        self.scored += block.scored
        self.duplicates += block.duplicates
        self.dead_letters += block.dead_letters
        self.alerts_due += block.alerts
        self.withheld_due += int(is_withheld(block.decisions["suppression"]).sum())
        self.audited[block.partition] = max(block.last_offset, self.audited.get(block.partition, -1))

    def note_alert(self, value: bytes) -> None:
        """Count one alert."""
        alert = read_record("alert.avsc", value)
        if alert["alert_id"] in self._seen:
            self.repeated += 1
            return
        self._seen.add(alert["alert_id"])
        self.alerts += 1
        if alert["outcome"] != "approve":  # else the count that ends a burst
            self.alerted.add(alert["transaction_id"])
        self.latest.append(alert)

    def note_withheld(self, value: bytes) -> None:
        """Count one alert that was recorded and not sent."""
        alert = read_record("alert.avsc", value)
        if alert["alert_id"] in self._seen:
            self.repeated += 1
            return
        self._seen.add(alert["alert_id"])
        self.withheld += 1
        self.alerted.add(alert["transaction_id"])


class Watcher(threading.Thread):
    """Reads audit and alerts, read_committed, into a tally, until stopped."""

    def __init__(self, settings: Settings, partitions: int, tally: Tally) -> None:
        super().__init__(name="watcher", daemon=True)
        self._settings, self._tally = settings, tally
        self._stopping = threading.Event()
        self._consumer = Consumer(consumer_config(settings, f"{settings.app_id}-watcher") | {"fetch.wait.max.ms": 20})
        topics = (settings.topic_audit, settings.topic_alerts, settings.topic_withheld)
        self._consumer.assign([TopicPartition(topic, p, 0) for topic in topics for p in range(partitions)])
        self.failure: BaseException | None = None

    def run(self) -> None:
        """The thread's work."""
        try:
            while not self._stopping.is_set():
                for message in self._consumer.consume(500, 0.1):
                    self._note(message)
        except BaseException as error:
            self.failure = error
        finally:
            self._consumer.close()

    def stop(self) -> None:
        """Read no more."""
        self._stopping.set()
        self.join()

    def _note(self, message: Any) -> None:
        if message.error() is not None:
            if message.error().code() != KafkaError._PARTITION_EOF:
                raise RuntimeError(f"reading {message.topic()}: {message.error()}")
        elif message.topic() == self._settings.topic_audit:
            self._tally.note_block(message.value())
        elif message.topic() == self._settings.topic_withheld:
            self._tally.note_withheld(message.value())
        else:
            self._tally.note_alert(message.value())


def end_offsets(settings: Settings, partitions: int) -> dict[int, int]:
    """The last offset of each partition of the transactions topic; partitions without records are left out."""
    consumer = Consumer(consumer_config(settings, f"{settings.app_id}-ends"))
    try:
        found = {
            p: consumer.get_watermark_offsets(TopicPartition(settings.topic_transactions, p), timeout=20)[1] - 1
            for p in range(partitions)
        }
        return {p: last for p, last in found.items() if last >= 0}
    finally:
        consumer.close()


def as_line(summary: dict[str, Any]) -> str:
    """One line of JSON."""
    return json.dumps(summary)
