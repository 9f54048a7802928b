"""An alert as its consumers may meet it, written by fastavro: for tests of those who read alerts."""

import io
from typing import Any

import fastavro

from monitor.effects.alert_ids import alert_id
from monitor.effects.alerts import alert_schema
from monitor.wire.framing import frame

ALERT: dict[str, Any] = {
    "alert_id": alert_id("Zk3", 0, 0),
    "transaction_id": "t-0",
    "account_id": "account-1",
    "event_time": 1_790_000_000_000,
    "detected_at": 1_790_000_000_001,
    "outcome": "review",
    "anomaly_score": 0.7,
    "threshold": 0.6,
    "model_version": "m",
    "feature_set": "f@0",
    "reasons": ["because"],
    "rule_hits": [],
    "attributions": [],
    "degraded": [],
    "amount_minor": 1,
    "currency": "EUR",
    "channel": "card",
    "source_topic": "transactions",
    "source_partition": 0,
    "source_offset": 0,
    "withheld": 0,
    "in_burst": False,
    "suppressed_by": [],
}


def alert_value(schema_id: int = 1, **fields: Any) -> bytes:
    """The Kafka value of an alert with these fields, the others as in `ALERT`."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, alert_schema(), ALERT | fields, strict=True)
    return frame(schema_id, out.getvalue())
