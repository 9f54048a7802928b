"""Alerts as Kafka records: schemas/alert.avsc in the Confluent wire format, CloudEvents attributes in the headers.

Headers follow the CloudEvents Kafka protocol binding 1.0.2, binary content mode: attributes as `ce_*`, `content-type` for the data.
"""

import datetime as dt
import io
import json
import uuid
from dataclasses import dataclass
from functools import cache
from typing import Any

import fastavro

from monitor.effects.message import Message
from monitor.resources import shipped
from monitor.wire.framing import frame

CE_TYPE = "monitor.alert.v1"
"""The CloudEvents type of an alert; another format of the payload takes another."""

CONTENT_TYPE = "application/avro"

ALERT_NAMESPACE = uuid.UUID("6f0d5a0e-3c1b-5f6e-9a57-0e6b1f1c2d43")
"""Of all alert ids, UUIDv5. Chosen once; with another, every alert would be a new one to its consumers."""


@dataclass(frozen=True, slots=True)
class RuleHit:
    """A rule that held; fields as in schemas/alert.avsc."""

    rule_id: str
    rule_version: str
    reason_code: str
    action: str
    text: str


@dataclass(frozen=True, slots=True)
class Attribution:
    """A feature's part in the score; fields as in schemas/alert.avsc."""

    feature: str
    value: float
    unit: str
    baseline: float | None
    contribution: float


@dataclass(frozen=True, slots=True)
class AlertFacts:
    """Everything that was decided about one transaction; fields as in schemas/alert.avsc. Times are ms since the epoch, UTC."""

    alert_id: str
    transaction_id: str
    account_id: str
    event_time: int
    detected_at: int
    outcome: str
    anomaly_score: float | None
    threshold: float | None
    model_version: str
    feature_set: str
    reasons: tuple[str, ...]
    rule_hits: tuple[RuleHit, ...]
    attributions: tuple[Attribution, ...]
    degraded: tuple[str, ...]
    amount_minor: int
    currency: str
    channel: str
    source_topic: str
    source_partition: int
    source_offset: int


def alert_id(topic_id: str, partition: int, offset: int) -> str:
    """The id of the alert about a source record: equal whenever that record is decided, and of no other record."""
    return str(uuid.uuid5(ALERT_NAMESPACE, f"{topic_id}/{partition}/{offset}"))


def alert_message(facts: AlertFacts, topic: str, schema_id: int, app_id: str) -> Message:
    """The alert about `facts`, keyed by account id, for alert topic `topic`; `schema_id` is the alert schema's in the schema source."""
    return Message(topic, facts.account_id.encode(), encode_alert(facts, schema_id), None, _headers(facts, app_id))


def encode_alert(facts: AlertFacts, schema_id: int) -> bytes:
    """Magic, schema id, Avro record."""
    record: dict[str, Any] = {name: getattr(facts, name) for name in AlertFacts.__slots__}
    record["rule_hits"] = [{name: getattr(hit, name) for name in RuleHit.__slots__} for hit in facts.rule_hits]
    record["attributions"] = [
        {name: getattr(each, name) for name in Attribution.__slots__} for each in facts.attributions
    ]
    out = io.BytesIO()
    fastavro.schemaless_writer(out, alert_schema(), record, strict=True)
    return frame(schema_id, out.getvalue())


@cache
def alert_schema() -> Any:
    """The shipped schemas/alert.avsc, parsed by fastavro."""
    return fastavro.parse_schema(json.loads((shipped("schemas") / "alert.avsc").read_text(encoding="utf-8")))


def rfc3339(time_ms: int) -> str:
    """Milliseconds since the epoch as UTC text with milliseconds, such as 2026-01-31T12:00:00.250Z."""
    moment = dt.datetime.fromtimestamp(time_ms // 1000, dt.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}Z"


def _headers(facts: AlertFacts, app_id: str) -> list[tuple[str, bytes]]:
    texts = {
        "ce_specversion": "1.0",
        "ce_id": facts.alert_id,
        "ce_type": CE_TYPE,
        "ce_source": f"/fraud-monitor/{app_id}",
        "ce_time": rfc3339(facts.detected_at),
        "ce_subject": facts.transaction_id,
        "content-type": CONTENT_TYPE,
        "model_version": facts.model_version,
    }
    return [(name, text.encode()) for name, text in texts.items()]
