"""Alerts as their consumers meet them: the Avro records of a run, their keys and the CloudEvents headers."""

import dataclasses
import io
import uuid
from typing import NamedTuple

import fastavro
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.decide.policy import OUTCOMES
from monitor.effects.alert_ids import alert_id
from monitor.effects.alerts import Alerts, Issuer, RuleHit, Telling, alert_messages, alert_schema, rfc3339
from monitor.effects.attributions import attributions
from monitor.features.catalogue import CATALOGUE
from monitor.state.dispositions import Lacking
from monitor.wire.columns import (
    ACCOUNT_ID,
    AMOUNT_MINOR,
    CHANNEL,
    CHANNELS,
    CURRENCY,
    EVENT_TIME,
    LONGS,
    STRINGS,
    TRANSACTION_ID,
    Columns,
)
from monitor.wire.framing import frame

FEATURES = tuple(CATALOGUE[:3])
ISSUER = Issuer(
    topic="alerts",
    withheld_topic="alerts.withheld",
    schema_id=41,
    app_id="app-7",
    detected_at=1_790_000_000_250,
    model_version="m-1",
    feature_set="lean@0123456789ab",
    source_topic="transactions",
    source_topic_id="Zk3",
    source_partition=2,
)


class Told(NamedTuple):
    """One alert, as a test says it; `numbers` of each of FEATURES value, baseline, contribution, share and percentile."""

    transaction_id: str = "t-€"
    account_id: str = "a-1"
    currency: str = "EUR"
    event_time: int = 1_790_000_000_000
    amount_minor: int = 2**53
    channel: int = 0
    offset: int = 77
    outcome: int = 1
    score: float = 0.71
    threshold: float = 0.66
    degraded: int = 2
    reasons: tuple[str, ...] = ("amount 3,200.00 is far above",)
    rule_hits: tuple[RuleHit, ...] = (RuleHit("r-1", "2", "velocity", "review", "9 debits in 5 min"),)
    numbers: tuple[tuple[float, ...], ...] = (
        (3.2, 1.0, 0.5, 0.2, 0.9),
        (7.5, 0.0, 2.25, 0.8, float("nan")),
        (1.0, 0.0, -1.0, 0.0, 0.5),
    )
    order: tuple[int, ...] = (1, 0, 2)
    sent: bool = True
    withheld: int = 0
    in_burst: bool = False
    suppressed_by: tuple[str, ...] = ()


def columns_of(told):
    """The run they are of: each of them, and before each a record that is no alert."""
    cells = [
        b"x",
        *(
            part
            for each in told
            for part in (each.transaction_id.encode(), each.account_id.encode(), each.currency.encode())
        ),
    ]
    ends = np.cumsum([len(each) for each in cells])
    n = 2 * len(told)
    starts, lengths = np.zeros((len(STRINGS), n), np.int64), np.full((len(STRINGS), n), -1, np.int32)
    longs = np.full((len(LONGS), n), 3, np.int64)
    for number, each in enumerate(told):
        row = 2 * number + 1
        for which, field in enumerate((TRANSACTION_ID, ACCOUNT_ID, CURRENCY)):
            cell = 1 + 3 * number + which
            starts[field, row], lengths[field, row] = ends[cell - 1], len(cells[cell])
        longs[EVENT_TIME, row], longs[AMOUNT_MINOR, row], longs[CHANNEL, row] = (
            each.event_time,
            each.amount_minor,
            each.channel,
        )
    nothing = np.zeros(n, np.uint8)
    return Columns(np.frombuffer(b"".join(cells), np.uint8), longs, starts, lengths, np.zeros((len(STRINGS), n), np.uint64), nothing, np.ones(n, np.int32))  # fmt: skip


def messages_of(told, issuer=ISSUER, features=FEATURES):
    numbers = np.array([each.numbers[: len(features)] for each in told], np.float64).reshape(
        len(told), len(features), 5
    )
    order = np.array([[place for place in each.order if place < len(features)] for each in told], np.int64)
    alerts = Alerts(
        columns=columns_of(told),
        rows=np.arange(1, 2 * len(told), 2),
        offsets=np.array([each.offset for each in told], np.int64),
        outcomes=np.array([each.outcome for each in told], np.uint8),
        scores=np.array([each.score for each in told], np.float64),
        thresholds=np.array([each.threshold for each in told], np.float64),
        degraded=np.array([each.degraded for each in told], np.uint8),
        reasons=[reason for each in told for reason in each.reasons],
        reason_counts=np.array([len(each.reasons) for each in told], np.int64),
        rule_hits=[each.rule_hits for each in told],
        attributions=attributions(features, *np.moveaxis(numbers, 2, 0), order.reshape(len(told), len(features))),
        telling=Telling(
            np.array([each.sent for each in told], np.bool_),
            np.array([each.withheld for each in told], np.int64),
            np.array([each.in_burst for each in told], np.bool_),
            [each.suppressed_by for each in told],
        ),
    )
    return alert_messages(alerts, issuer)


def record_of(told, issuer=ISSUER, features=FEATURES):
    """What fastavro is to write."""
    places = [place for place in told.order if place < len(features)]
    items = [(features[place], told.numbers[place]) for place in places]
    return {
        "alert_id": alert_id(issuer.source_topic_id, issuer.source_partition, told.offset),
        "transaction_id": told.transaction_id,
        "account_id": told.account_id,
        "event_time": told.event_time,
        "detected_at": issuer.detected_at,
        "outcome": OUTCOMES[told.outcome],
        "anomaly_score": None if np.isnan(told.score) else told.score,
        "threshold": None if np.isnan(told.threshold) else told.threshold,
        "model_version": issuer.model_version,
        "feature_set": issuer.feature_set,
        "reasons": list(told.reasons),
        "rule_hits": [dataclasses.asdict(hit) for hit in told.rule_hits],
        "attributions": [
            {
                "feature": f.name,
                "value": value,
                "unit": f.unit,
                "baseline": baseline if f.baseline else None,
                "contribution": contribution,
                "share": share,
                "percentile": None if np.isnan(percentile) else percentile,
            }
            for f, (value, baseline, contribution, share, percentile) in items
        ],
        "degraded": [bit.name.lower() for bit in Lacking if told.degraded & bit],
        "amount_minor": told.amount_minor,
        "currency": told.currency,
        "channel": CHANNELS[told.channel],
        "source_topic": issuer.source_topic,
        "source_partition": issuer.source_partition,
        "source_offset": told.offset,
        "withheld": told.withheld,
        "in_burst": told.in_burst,
        "suppressed_by": list(told.suppressed_by),
    }


def by_fastavro(record, schema_id):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, alert_schema(), record, strict=True)
    return frame(schema_id, out.getvalue())


LONG = st.integers(-(2**63), 2**63 - 1)
ANY_ALERT = st.builds(  # what is not named is of its type
    Told,
    event_time=LONG,
    amount_minor=LONG,
    channel=st.integers(0, len(CHANNELS) - 1),
    offset=st.integers(0, 2**63 - 1),
    outcome=st.integers(0, len(OUTCOMES) - 1),
    score=st.floats(),
    threshold=st.floats(),
    degraded=st.integers(0, 2 * max(Lacking) - 1),
    reasons=st.lists(st.text(), max_size=4).map(tuple),
    rule_hits=st.lists(st.builds(RuleHit), max_size=2).map(tuple),
    numbers=st.tuples(*[st.tuples(*[st.floats()] * 5)] * len(FEATURES)),
    order=st.permutations(range(len(FEATURES))).map(tuple),
    withheld=st.integers(0, 2**63 - 1),
    suppressed_by=st.lists(st.text(), max_size=3).map(tuple),
)
ANY_ISSUER = st.builds(
    Issuer,
    schema_id=st.integers(0, 2**31 - 1),
    detected_at=st.integers(-(2**40), 2**40),
    source_partition=st.integers(0, 2**31 - 1),
)


@given(st.lists(ANY_ALERT, max_size=4), ANY_ISSUER, st.integers(0, len(FEATURES)))
def test_each_alert_of_a_run_has_the_bytes_of_fastavro(told, issuer, count):
    features = FEATURES[:count]
    messages = messages_of(told, issuer, features)
    assert [each.value for each in messages] == [
        by_fastavro(record_of(each, issuer, features), issuer.schema_id) for each in told
    ]
    assert [each.key for each in messages] == [each.account_id.encode() for each in told]


def test_a_text_that_is_null_is_written_as_an_empty_one(monkeypatch):
    columns = columns_of([Told(currency="")])
    columns.lengths[CURRENCY] = -1
    monkeypatch.setattr("tests.unit.effects.test_alerts.columns_of", lambda _told: columns)
    (message,) = messages_of([Told(currency="")])
    assert message.value == by_fastavro(record_of(Told(currency="")), ISSUER.schema_id)


def test_outcomes_are_numbered_as_the_schema_has_them():
    field = next(each for each in alert_schema()["fields"] if each["name"] == "outcome")
    assert tuple(field["type"]["symbols"]) == OUTCOMES


def test_an_alert_is_sent_to_its_topic_and_left_to_the_partitioner():
    (message,) = messages_of([Told()])
    assert (message.topic, message.key, message.partition) == ("alerts", b"a-1", None)


def test_an_alert_that_is_withheld_goes_to_the_topic_of_those():
    held, sent = messages_of([Told(sent=False, suppressed_by=("cool-down",)), Told(offset=78)])
    assert (held.topic, sent.topic) == ("alerts.withheld", "alerts")


def test_headers_are_cloudevents_in_binary_mode():
    first, second = messages_of([Told(), Told(offset=78, transaction_id="t-2")])
    assert first.headers == [
        ("ce_specversion", b"1.0"),
        ("ce_id", alert_id("Zk3", 2, 77).encode()),
        ("ce_type", b"monitor.alert.v1"),
        ("ce_source", b"/fraud-monitor/app-7"),
        ("ce_time", b"2026-09-21T14:13:20.250Z"),
        ("ce_subject", "t-€".encode()),
        ("content-type", b"application/avro"),
        ("model_version", b"m-1"),
    ]
    assert uuid.UUID(dict(second.headers)["ce_id"].decode()) == uuid.UUID(alert_id("Zk3", 2, 78))
    assert dict(second.headers)["ce_subject"] == b"t-2"


@pytest.mark.parametrize(
    ("time_ms", "text"),
    [(0, "1970-01-01T00:00:00.000Z"), (1_767_225_599_999, "2025-12-31T23:59:59.999Z"), (5, "1970-01-01T00:00:00.005Z")],
)
def test_times_are_rfc3339_in_utc(time_ms, text):
    assert rfc3339(time_ms) == text
