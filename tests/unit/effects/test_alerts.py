"""Alerts as their consumers meet them: the Avro record, its id and the CloudEvents headers."""

import dataclasses
import io
import json
import uuid

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.effects.alerts import (
    ALERT_NAMESPACE,
    AlertFacts,
    RuleHit,
    alert_id,
    alert_message,
    alert_schema,
    encode_alert,
    rfc3339,
)
from monitor.resources import shipped
from monitor.wire.framing import frame, unframe

ATTRIBUTION = next(field for field in alert_schema()["fields"] if field["name"] == "attributions")["type"]["items"]
ATTRIBUTIONS = [
    {"feature": "amount_z", "value": 7.5, "unit": "deviations", "baseline": None, "contribution": 2.25},
    {"feature": "amount", "value": 3.2, "unit": "base minor", "baseline": 1.0, "contribution": 0.5},
]


def written(attribution):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, ATTRIBUTION, attribution)
    return out.getvalue()


def given_as(facts, attributions):
    """The record that fastavro writes for the facts."""
    hits = [dataclasses.asdict(hit) for hit in facts.rule_hits]
    return facts._asdict() | {"rule_hits": hits, "attributions": attributions}


FACTS = AlertFacts(
    alert_id=alert_id("Zk3", 2, 77),
    transaction_id="t-€",
    account_id="a-1",
    event_time=1_790_000_000_000,
    detected_at=1_790_000_000_250,
    outcome="review",
    anomaly_score=0.71,
    threshold=0.66,
    model_version="m-1",
    feature_set="lean@0123456789ab",
    reasons=("amount 3,200.00 is far above",),
    rule_hits=(RuleHit("r-1", "2", "velocity", "review", "9 debits in 5 min"),),
    attributions=[written(each) for each in ATTRIBUTIONS],
    degraded=("model",),
    amount_minor=2**53,
    currency="EUR",
    channel="card",
    source_topic="transactions",
    source_partition=2,
    source_offset=77,
)


def read(message):
    schema_id, payload = unframe(message.value)
    schema = fastavro.parse_schema(json.loads((shipped("schemas") / "alert.avsc").read_text()))
    stream = io.BytesIO(payload)
    record = fastavro.schemaless_reader(stream, schema, None)
    assert stream.read() == b""
    return schema_id, record


def test_facts_have_the_fields_of_the_schema_in_its_order():
    assert list(AlertFacts._fields) == [f["name"] for f in alert_schema()["fields"]]


def test_an_alert_reads_back_as_the_facts_it_was_made_from():
    schema_id, record = read(alert_message(FACTS, "alerts", 41, "app"))
    facts = given_as(FACTS, ATTRIBUTIONS)
    for name in ("event_time", "detected_at"):
        assert int(record.pop(name).timestamp() * 1000) == facts.pop(name)
    assert str(record.pop("alert_id")) == facts.pop("alert_id")
    assert schema_id == 41
    assert record == {name: list(value) if isinstance(value, tuple) else value for name, value in facts.items()}


LONG = st.integers(-(2**63), 2**63 - 1)
ANY_FACTS = st.builds(  # what is not named is of its type
    AlertFacts,
    attributions=st.just([]),
    outcome=st.sampled_from(["approve", "review", "block"]),
    source_partition=st.integers(0, 2**31 - 1),
    **dict.fromkeys(("event_time", "detected_at", "amount_minor", "source_offset"), LONG),
)


ANY_ATTRIBUTION = st.fixed_dictionaries(
    {
        "feature": st.text(),
        "value": st.floats(),
        "unit": st.text(),
        "baseline": st.none() | st.floats(),
        "contribution": st.floats(),
    }
)


@given(ANY_FACTS, st.lists(ANY_ATTRIBUTION), st.integers(0, 2**31 - 1))
def test_an_alert_has_the_bytes_of_fastavro(facts, attributions, schema_id):
    facts = facts._replace(attributions=[written(each) for each in attributions])
    out = io.BytesIO()
    fastavro.schemaless_writer(out, alert_schema(), given_as(facts, attributions), strict=True)
    assert encode_alert(facts, schema_id) == frame(schema_id, out.getvalue())


def test_an_alert_without_a_score_says_null():
    facts = FACTS._replace(anomaly_score=None, threshold=None)
    _, record = read(alert_message(facts, "alerts", 1, "app"))
    assert (record["anomaly_score"], record["threshold"]) == (None, None)


def test_an_alert_is_keyed_by_account_and_left_to_the_partitioner():
    message = alert_message(FACTS, "alerts", 1, "app")
    assert (message.topic, message.key, message.partition) == ("alerts", b"a-1", None)


def test_headers_are_cloudevents_in_binary_mode():
    assert alert_message(FACTS, "alerts", 1, "app-7").headers == [
        ("ce_specversion", b"1.0"),
        ("ce_id", FACTS.alert_id.encode()),
        ("ce_type", b"monitor.alert.v1"),
        ("ce_source", b"/fraud-monitor/app-7"),
        ("ce_time", b"2026-09-21T14:13:20.250Z"),
        ("ce_subject", "t-€".encode()),
        ("content-type", b"application/avro"),
        ("model_version", b"m-1"),
    ]


def test_the_id_of_an_alert_never_changes():
    # A literal: were the namespace or the name to change, consumers that deduplicate would see every alert anew.
    assert alert_id("topic-id", 0, 1) == "10c898c5-d919-5993-9199-6e8a8757e9ab"
    assert uuid.UUID(FACTS.alert_id).version == 5


@given(st.text(max_size=30), st.integers(0, 2**31), st.integers(0, 2**63 - 1))
def test_the_id_of_an_alert_is_a_uuid_of_version_5(topic_id, partition, offset):
    assert alert_id(topic_id, partition, offset) == str(uuid.uuid5(ALERT_NAMESPACE, f"{topic_id}/{partition}/{offset}"))


def test_each_source_record_has_an_alert_id_of_its_own():
    ids = {alert_id(topic, partition, offset) for topic in "ab" for partition in range(12) for offset in range(12)}
    assert len(ids) == 2 * 12 * 12


@pytest.mark.parametrize(
    ("time_ms", "text"),
    [(0, "1970-01-01T00:00:00.000Z"), (1_767_225_599_999, "2025-12-31T23:59:59.999Z"), (5, "1970-01-01T00:00:00.005Z")],
)
def test_times_are_rfc3339_in_utc(time_ms, text):
    assert rfc3339(time_ms) == text


def test_an_outcome_that_the_schema_does_not_have_is_not_written():
    with pytest.raises(ValueError, match="maybe"):
        alert_message(FACTS._replace(outcome="maybe"), "alerts", 1, "app")
