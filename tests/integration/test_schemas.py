"""Schemas that evolve, against a real registry: compatible ones are read, others are dead letters, alerts name their own."""

import io
import json
import time
from collections import Counter
from dataclasses import replace
from urllib.parse import urlsplit

import fastavro
import httpx
import numpy as np
import pytest

from monitor.errors import SchemaUnavailable, SchemaUnknown
from monitor.guard.reasons import Reason
from monitor.resources import shipped
from monitor.scoring.artifact import load_model, save_model, set_current
from monitor.wire.framing import HEADER_BYTES, frame, unframe
from tests.door import Door

SHIPPED = json.loads((shipped("schemas") / "transaction.avsc").read_text())
NOBODYS_ID = 2**30


def shipped_fields(**changed):
    """The shipped schema's fields, with other types for some; None leaves a field out."""
    fields = {each["name"]: each for each in SHIPPED["fields"]}
    for name, kind in changed.items():
        if kind is None:
            fields.pop(name)
        else:
            fields[name] = {"name": name, "type": kind}
    return list(fields.values())


def schema_of(fields):
    return {**SHIPPED, "fields": fields}


ADDED = [
    {"name": "risk", "type": "double", "default": 0.0},
    {
        "name": "terminal",
        "type": ["null", {"type": "record", "name": "Terminal", "fields": [{"name": "id", "type": "string"}, {"name": "slots", "type": {"type": "array", "items": "int"}}]}],
        "default": None,
    },
]  # fmt: skip
CHANNELS_TURNED = {"type": "enum", "name": "Channel", "symbols": ["on_chain", "wallet", "direct_debit", "transfer", "card"]}  # fmt: skip

MAY_BE_NULL = "what may not be null, as what may"
"""Avro settles a writer's union record by record: read where there is a value, refused where there is none."""

COMPATIBLE = {
    "as shipped": SHIPPED,
    "fields added in front, in between and behind": schema_of([ADDED[0], *shipped_fields()[:5], ADDED[1], *shipped_fields()[5:]]),
    "fields reordered": schema_of(shipped_fields()[::-1]),
    "symbols of an enum reordered": schema_of(shipped_fields(channel=CHANNELS_TURNED)),
    "optional fields left out": schema_of(shipped_fields(ip=None, device_id=None, idempotency_key=None, attributes=None)),
    "int for long": schema_of(shipped_fields(amount_minor="int")),
    "bytes for string": schema_of(shipped_fields(transaction_id="bytes", account_id="bytes", currency="bytes", merchant_id=["null", "bytes"])),
    "what may be null, never null": schema_of(shipped_fields(merchant_id="string", country="string")),
    MAY_BE_NULL: schema_of(shipped_fields(account_id=["null", "string"])),
    "all of it": schema_of([*ADDED, *shipped_fields(amount_minor="int", currency="bytes", channel=CHANNELS_TURNED, ip=None)[::-1]]),
}  # fmt: skip

INCOMPATIBLE = {
    "amount missing": schema_of(shipped_fields(amount_minor=None)),
    "amount as text": schema_of(shipped_fields(amount_minor="string")),
    "amount as a fraction": schema_of(shipped_fields(amount_minor="double")),
    "time in microseconds": schema_of(shipped_fields(event_time={"type": "long", "logicalType": "timestamp-micros"})),
    "another record": {"type": "record", "name": "Other", "fields": [{"name": "x", "type": "int"}]},
}


def register(registry_url, subject, schema):
    """What a producer's serializer does."""
    body = {"schema": json.dumps(schema)}
    answer = httpx.post(f"{registry_url}/subjects/{subject}/versions", json=body).raise_for_status()
    return answer.json()["id"]


def payment(n, **fields):
    return {
        "transaction_id": f"t-{n}", "account_id": f"account-{n}", "event_time": time.time_ns() // 1_000_000 - n,
        "amount_minor": 1_000 + n, "currency": "EUR", "direction": "debit", "channel": "transfer", "merchant_id": f"m-{n}",
        "country": "DE", **fields,
    }  # fmt: skip


def written(schema, schema_id, record):
    """Framed with `schema_id`. Values are shaped as the schema wants them: text as bytes and so on."""
    kinds = {field["name"]: field["type"] for field in schema["fields"]}
    shaped = {}
    for name, value in record.items():
        kind = kinds.get(name)
        if kind in ("bytes", ["null", "bytes"]):
            shaped[name] = value.encode()
        elif kind is not None:
            shaped[name] = str(value) if kind == "string" else value
    shaped |= {name: value for name, value in {"risk": 0.5, "terminal": {"id": "x", "slots": [1, 2]}, "x": 1}.items() if name in kinds}  # fmt: skip
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), shaped)
    return frame(schema_id, out.getvalue())


@pytest.fixture
def alarming_models(tmp_path):
    """A models_dir whose model finds everything worth a review: the shipped one, with thresholds next to nothing."""
    model = replace(load_model(shipped("models")), version="alarming", review_threshold=1e-9, block_threshold=1.0)
    golden = np.random.default_rng(1).random((4, len(model.features)), np.float32)
    save_model(tmp_path, model, golden, {}, "For a test: everything is worth a review.\n")
    set_current(tmp_path, "alarming")
    return tmp_path


def test_producers_with_newer_schemas_are_read_and_unlike_ones_are_dead_letters_while_others_flow(
    install, registry_url, alarming_models, wait_until
):
    installation = install(partitions=1, schema_registry_url=registry_url, models_dir=alarming_models)
    settings = installation.settings
    subject = f"{settings.topic_transactions}-value"
    register(registry_url, subject, SHIPPED)  # a subject has a configuration once it has a schema
    httpx.put(f"{registry_url}/config/{subject}", json={"compatibility": "NONE"}).raise_for_status()
    ids = {name: register(registry_url, subject, schema) for name, schema in (COMPATIBLE | INCOMPATIBLE).items()}
    assert len(set(ids.values())) == len(ids)

    messages, good, reasons = [], {}, {}
    for turn in range(3):  # each kind is met again when its reader is known
        for name, schema in (COMPATIBLE | INCOMPATIBLE).items():
            record = payment(n=len(messages))
            if name in COMPATIBLE:
                good[len(messages)] = record
            else:
                reasons[len(messages)] = Reason.INCOMPATIBLE_SCHEMA
            messages.append((record["account_id"].encode(), written(schema, ids[name], record)))
        reasons[len(messages)] = Reason.UNDECODABLE
        nameless = payment(n=len(messages)) | {"account_id": None}
        messages.append((b"nameless %d" % turn, written(COMPATIBLE[MAY_BE_NULL], ids[MAY_BE_NULL], nameless)))
        reasons[len(messages)] = Reason.UNKNOWN_SCHEMA
        record = payment(n=len(messages))
        messages.append((record["account_id"].encode(), written(SHIPPED, NOBODYS_ID + turn, record)))
    worker = installation.start(fetch_max_bytes=1_500)
    worker.wait_ready()
    installation.produce(messages)
    installation.wait_decided()

    letters = {
        m.key(): (m.value(), dict(m.headers())["reason"].decode()) for m in installation.read(settings.topic_dlq)
    }
    assert letters == {messages[n][0]: (messages[n][1], reason.code) for n, reason in reasons.items()}
    blocks = installation.blocks()
    assert sum(block.scored for block in blocks) == len(good)
    assert sum(block.dead_letters for block in blocks) == len(reasons)
    assert installation.state() == installation.reference().state

    alerts = [decoded_by_its_id(message, registry_url) for message in installation.read(settings.topic_alerts)]
    named = ("transaction_id", "account_id", "event_time", "amount_minor", "currency", "channel")
    assert sorted(tuple(alert[name] for name in named) for alert in alerts) == sorted(
        tuple(record[name] for name in named) for record in good.values()
    )
    assert {(alert["outcome"], alert["model_version"]) for alert in alerts} == {("review", "alarming")}
    check_metrics(worker, len(messages), Counter(reason.code for reason in reasons.values()), wait_until)
    assert worker.stop() == 0


def check_metrics(worker, count, reasons, wait_until):
    wait_until(lambda: worker.metrics()["monitor_transactions_in_total"] >= count, 20, worker.tail)
    metrics = worker.metrics()
    found = {code: metrics[f'monitor_dead_letters_total{{reason="{code}"}}'] for code in reasons}
    assert found == reasons
    assert not metrics.get('monitor_breaker_open{name="schema_registry"}')  # absent until it first opens


def decoded_by_its_id(message, registry_url):
    """The alert, read with nothing but the schema that the registry has for the id it carries."""
    schema_id, payload = unframe(message.value())
    found = httpx.get(f"{registry_url}/schemas/ids/{schema_id}").raise_for_status().json()
    schema = json.loads(found["schema"])
    assert schema["name"] == "Alert"
    stream = io.BytesIO(payload)
    alert = fastavro.schemaless_reader(stream, fastavro.parse_schema(schema), None)
    assert stream.read() == b""
    alert["event_time"] = round(alert["event_time"].timestamp() * 1000)
    return alert


def test_our_own_schemas_stand_in_the_registry_under_the_subjects_of_their_topics(install, registry_url, transactions):
    installation = install(partitions=1, schema_registry_url=registry_url)
    settings = installation.settings
    schema_id = register(registry_url, f"{settings.topic_transactions}-value", SHIPPED)
    worker = installation.start()
    installation.produce(transactions(300, schema_id=schema_id))
    installation.wait_decided()
    blocks = installation.read(settings.topic_audit)
    for topic, file in ((settings.topic_alerts, "alert.avsc"), (settings.topic_audit, "audit-block.avsc")):
        latest = httpx.get(f"{registry_url}/subjects/{topic}-value/versions/latest").raise_for_status().json()
        assert json.loads(latest["schema"]) == json.loads((shipped("schemas") / file).read_text())
    assert {unframe(block.value())[0] for block in blocks} == {latest["id"]}
    assert worker.stop() == 0


def test_without_leave_to_register_a_registry_that_lacks_our_schemas_is_refused_at_the_start(
    install, registry_url, wait_until
):
    installation = install(partitions=1, schema_registry_url=registry_url)
    worker = installation.start(schema_auto_register="false")
    wait_until(lambda: worker.process.poll() is not None, 60, worker.tail)
    assert worker.process.returncode == SchemaUnknown.exit_code
    assert f"{installation.settings.topic_alerts}-value" in worker.tail()
    assert installation.read(installation.settings.topic_audit) == []


@pytest.fixture
def way(registry_url):
    """The registry behind a door, and the URL there."""
    parts = urlsplit(registry_url)
    door = Door(parts.port)
    yield door, parts._replace(netloc=f"127.0.0.1:{door.port}").geturl()
    door.close()


def test_a_worker_starts_and_decides_what_it_knows_while_the_registry_is_away_and_notices_when_it_is_back(
    install, way, transactions, wait_until
):
    door, url = way
    installation = install(partitions=1, schema_registry_url=url)
    schema_id = register(url, f"{installation.settings.topic_transactions}-value", SHIPPED)
    messages = [(key, frame(schema_id, value[HEADER_BYTES:])) for key, value in transactions(600)]
    installation.produce(messages[:300])
    worker = installation.start()
    worker.wait_ready()
    installation.wait_decided()
    assert worker.stop() == 0
    with door.shut():
        installation.produce(messages[300:])
        again = installation.start()
        again.wait_ready()
        installation.wait_decided()
        assert again.metrics()['monitor_degraded{state="schemas"}'] == 1.0
        assert all(each["reason"] == 0 for block in installation.blocks() for each in block.decisions)
    wait_until(lambda: again.metrics()['monitor_degraded{state="schemas"}'] == 0.0, 90, again.tail)
    assert again.stop() == 0


def test_a_worker_that_never_knew_leaves_while_the_registry_is_away(install, way, wait_until):
    door, url = way
    installation = install(partitions=1, schema_registry_url=url)
    with door.shut():
        worker = installation.start()
        wait_until(lambda: worker.process.poll() is not None, 60, worker.tail)
        assert worker.process.returncode == SchemaUnavailable.exit_code
