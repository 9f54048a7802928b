"""The same input gives the same alerts: which transactions, and each with which score."""

import io
import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import fastavro
from confluent_kafka import Consumer, TopicPartition

from monitor.effects.alerts import alert_schema
from monitor.wire.framing import unframe

PEERS_SCHEMA = Path(__file__).with_name("alert.avsc")

PEERS_SCHEMA_ID = 5
"""As benchmarks/peers write it: none of schemas/ids.json."""

EXACT = 1e-9
"""Scores are one sequence of float64 additions; only the power of two at the end may differ in its last bit."""
SCIKIT = 1e-6
"""scikit-learn keeps path lengths as float64, our forest and those who take its arrays as float32."""

ReadAlert = Callable[[bytes], dict[str, Any]]


def our_alert(value: bytes) -> dict[str, Any]:
    return _read(value, alert_schema())


def peers_alert(value: bytes) -> dict[str, Any]:
    return _read(value, _peers_schema())


def any_alert(value: bytes) -> dict[str, Any]:
    """Of ours or a peer, by the schema id in front."""
    return peers_alert(value) if unframe(value)[0] == PEERS_SCHEMA_ID else our_alert(value)


def _read(value: bytes, schema: Any) -> dict[str, Any]:
    found: Any = fastavro.schemaless_reader(io.BytesIO(unframe(value)[1]), schema, None)
    return dict(found)


@cache
def _peers_schema() -> Any:
    return fastavro.parse_schema(json.loads(PEERS_SCHEMA.read_text()))


def read_alerts(brokers: str, topic: str, read: ReadAlert) -> dict[str, float]:
    """Score by transaction id, of every committed alert; the same alert twice (at least once) must have the same score."""
    scores: dict[str, float] = {}
    for value in values_of(brokers, topic):
        alert = read(value)
        known = scores.setdefault(alert["transaction_id"], alert["anomaly_score"])
        if known != alert["anomaly_score"]:
            raise SystemExit(f"{topic}: {alert['transaction_id']} has the scores {known} and {alert['anomaly_score']}")
    return scores


def values_of(brokers: str, topic: str) -> list[bytes]:
    """Every committed value, read_committed."""
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "race-equality",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )
    try:
        open_partitions = set(consumer.list_topics(topic, timeout=20).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, p, 0) for p in open_partitions])
        values = []
        while open_partitions:
            message = consumer.poll(20)
            if message is None:
                raise SystemExit(f"{topic} does not end")
            if message.error():
                open_partitions.discard(message.partition())
            else:
                values.append(message.value() or b"")
        return values
    finally:
        consumer.close()


def differences(found: Mapping[str, float], due: Mapping[str, float], tolerance: float) -> list[str]:
    """In words, what is missing, too much, or scored otherwise; empty when the alerts are equal."""
    said = [f"{len(lost)} alerts missing, first {lost[0]}" for lost in [sorted(due.keys() - found.keys())] if lost]
    said += [f"{len(more)} alerts not due, first {more[0]}" for more in [sorted(found.keys() - due.keys())] if more]
    apart = [(abs(found[name] - due[name]), name) for name in due.keys() & found.keys()]
    worst, name = max(apart, default=(0.0, ""))
    if worst > tolerance:
        wrong = sum(difference > tolerance for difference, _ in apart)
        said.append(f"{wrong} scores differ by more than {tolerance}; {name}: {found[name]}, due {due[name]}")
    return said
