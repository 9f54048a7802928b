"""Alerts as Kafka records: schemas/alert.avsc in the Confluent wire format, CloudEvents attributes in the headers.

Headers follow the CloudEvents Kafka protocol binding 1.0.2, binary content mode: attributes as `ce_*`, `content-type` for the data.
"""

import datetime as dt
import json
import struct
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import sha1
from typing import Any, NamedTuple

import fastavro

from monitor.effects.avro import array, long, same_text, text
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


class AlertFacts(NamedTuple):
    """Everything that was decided about one transaction; fields as in schemas/alert.avsc. Times are ms since the epoch, UTC.

    `attributions` are encoded already (`monitor/effects/attributions.py`), strongest first.
    """

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
    attributions: Sequence[bytes]
    degraded: tuple[str, ...]
    amount_minor: int
    currency: str
    channel: str
    source_topic: str
    source_partition: int
    source_offset: int


def alert_id(topic_id: str, partition: int, offset: int) -> str:
    """The id of the alert about a source record: equal whenever that record is decided, and of no other record.

    The UUIDv5 of `ALERT_NAMESPACE` and the three, as `uuid.uuid5` makes it in twice the time.
    """
    named = sha1(ALERT_NAMESPACE.bytes + f"{topic_id}/{partition}/{offset}".encode(), usedforsecurity=False)
    digest = bytearray(named.digest()[:16])
    digest[6], digest[8] = digest[6] & 0x0F | 0x50, digest[8] & 0x3F | 0x80
    digits = digest.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def alert_message(facts: AlertFacts, topic: str, schema_id: int, app_id: str) -> Message:
    """The alert about `facts`, keyed by account id, for alert topic `topic`; `schema_id` is the alert schema's in the schema source."""
    return Message(topic, facts.account_id.encode(), encode_alert(facts, schema_id), None, _headers(facts, app_id))


def encode_alert(facts: AlertFacts, schema_id: int) -> bytes:
    """Magic, schema id, Avro record. Raises ValueError for an outcome that the schema does not have."""
    if facts.outcome not in _OUTCOMES:
        raise ValueError(f"outcome: {facts.outcome!r}, the alert schema has {', '.join(_OUTCOMES)}")
    parts = (
        text(facts.alert_id),
        text(facts.transaction_id),
        text(facts.account_id),
        long(facts.event_time),
        long(facts.detected_at),
        _OUTCOMES[facts.outcome],
        _optional(facts.anomaly_score),
        _optional(facts.threshold),
        same_text(facts.model_version),
        same_text(facts.feature_set),
        array([text(reason) for reason in facts.reasons]),
        array([_rule_hit(hit) for hit in facts.rule_hits]),
        array(facts.attributions),
        array([same_text(what) for what in facts.degraded]),
        long(facts.amount_minor),
        text(facts.currency),
        same_text(facts.channel),
        same_text(facts.source_topic),
        long(facts.source_partition),
        long(facts.source_offset),
    )
    return frame(schema_id, b"".join(parts))


_OUTCOMES = {name: long(number) for number, name in enumerate(("approve", "review", "block"))}
_NULL, _PRESENT = long(0), long(1)
_DOUBLE = struct.Struct("<d")


def _optional(number: float | None) -> bytes:
    return _NULL if number is None else _PRESENT + _DOUBLE.pack(number)


def _rule_hit(hit: RuleHit) -> bytes:
    return b"".join(
        (
            same_text(hit.rule_id),
            same_text(hit.rule_version),
            same_text(hit.reason_code),
            same_text(hit.action),
            text(hit.text),
        )
    )


@cache
def alert_schema() -> Any:
    """The shipped schemas/alert.avsc, parsed by fastavro."""
    return fastavro.parse_schema(json.loads((shipped("schemas") / "alert.avsc").read_text(encoding="utf-8")))


def rfc3339(time_ms: int) -> str:
    """Milliseconds since the epoch as UTC text with milliseconds, such as 2026-01-31T12:00:00.250Z."""
    moment = dt.datetime.fromtimestamp(time_ms // 1000, dt.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}Z"


def _headers(facts: AlertFacts, app_id: str) -> list[tuple[str, bytes]]:
    source, time, version = _repeated(app_id, facts.detected_at, facts.model_version)
    return [
        _SPEC_VERSION,
        ("ce_id", facts.alert_id.encode()),
        _TYPE,
        source,
        time,
        ("ce_subject", facts.transaction_id.encode()),
        _CONTENT_TYPE,
        version,
    ]


_SPEC_VERSION, _TYPE = ("ce_specversion", b"1.0"), ("ce_type", CE_TYPE.encode())
_CONTENT_TYPE = ("content-type", CONTENT_TYPE.encode())


@lru_cache(16)
def _repeated(app_id: str, detected_at: int, model_version: str) -> tuple[tuple[str, bytes], ...]:
    """Headers that are the same for all alerts of a run: source, time, model."""
    return (
        ("ce_source", f"/fraud-monitor/{app_id}".encode()),
        ("ce_time", rfc3339(detected_at).encode()),
        ("model_version", model_version.encode()),
    )
