"""The doctor on a real Kafka and a real registry: quiet when all is well, and right about what is not."""

import json
import zlib

import pytest
from click.testing import CliRunner
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from monitor.clock import ManualClock, SystemClock
from monitor.commands.checks.artifacts import check_schemas
from monitor.commands.checks.clocks import registry_ahead_ms
from monitor.commands.doctor import diagnose, doctor
from monitor.settings import Settings
from monitor.wire.kafka_config import admin_config, producer_config
from monitor.wire.murmur2 import partition_of
from monitor.wire.schema_source import open_source
from monitor.wire.topics import await_topics, create_missing, plan

KEYS = [f"account-{number}".encode() for number in range(300)]


@pytest.fixture
def settings(kafka, topic_prefix):
    names = {f"topic_{role}": f"{topic_prefix}.{role}" for role in ("transactions", "alerts", "dlq", "audit", "labels")}
    return Settings(brokers=kafka.bootstrap, app_id=topic_prefix, topic_partitions=4, hash_key="ab" * 16, **names)


@pytest.fixture
def admin(settings):
    client = AdminClient(admin_config(settings))
    yield client
    for gone in client.delete_topics([topic.name for topic in plan(settings)]).values():
        gone.exception(30)


def produce(settings: Settings, timestamp_ms: int = 0, partitioner: str = "murmur2_random") -> None:
    producer = Producer(producer_config(settings) | {"partitioner": partitioner})
    for key in KEYS:
        producer.produce(settings.topic_transactions, b"x", key=key, timestamp=timestamp_ms)
    assert producer.flush(30) == 0


def findings(settings: Settings, clock=None):
    return {finding.check: finding for finding in diagnose(settings, clock or SystemClock())}


def test_an_empty_installation_fails_for_each_topic_and_names_the_command_that_makes_it(admin, settings):
    found = findings(settings)
    assert found["brokers"].status == found["limits"].status == "ok"
    for role in ("transactions", "alerts", "dlq", "audit", "changelog"):
        assert (found[f"topic {role}"].status, found[f"topic {role}"].fix) == ("fail", "monitor topics create")
    assert found["topic labels"].status == "warn"
    assert found["partitioner"].status == found["clock"].status == "skip"


def test_after_topics_create_every_topic_is_ok_and_producers_like_ours_are_too(admin, settings):
    create_missing(admin, settings)
    produce(settings)
    found = findings(settings)
    statuses = {check: finding.status for check, finding in found.items() if check not in ("model", "exchange")}
    assert set(statuses.values()) == {"ok"}, found
    assert "300 recent transactions, 300 accounts" in found["partitioner"].what
    assert "newest transaction is not ahead" in found["clock"].what


def test_a_producer_with_librdkafkas_default_is_noticed_and_two_kinds_are_a_failure(admin, settings):
    create_missing(admin, settings)
    produce(settings, partitioner="consistent_random")
    assert findings(settings)["partitioner"].status == "warn"
    produce(settings)
    finding = findings(settings)["partitioner"]
    twice = sum(partition_of(key, 4) != zlib.crc32(key) % 4 for key in KEYS)
    assert finding.status == "fail"
    assert f"{twice} of 300 accounts are in two partitions at once" in finding.what
    assert "partitioner=murmur2_random" in finding.fix


def test_a_topic_made_by_hand_with_the_wrong_shape_is_told_with_its_fix(admin, settings):
    wrong = [
        NewTopic(settings.topic_audit, 7, 1),
        NewTopic(settings.changelog_topic, 4, 1, config={"cleanup.policy": "delete"}),
        NewTopic(settings.topic_dlq, 4, 1, config={"max.message.bytes": "1048588"}),
        NewTopic(settings.topic_transactions, 4, 1),
    ]
    for made in admin.create_topics(wrong).values():
        made.result(30)
    await_topics(admin, [topic.topic for topic in wrong])
    found = findings(settings)
    assert "7 partitions" in found["topic audit"].what
    assert "--add-config cleanup.policy=compact" in found["topic changelog"].fix
    assert "--add-config max.message.bytes=8454144" in found["topic dlq"].fix
    assert {found[f"topic {role}"].status for role in ("audit", "changelog", "dlq")} == {"fail"}


def test_a_clock_behind_the_producers_is_told(admin, settings):
    create_missing(admin, settings)
    now_ms = SystemClock().now_ms()
    produce(settings, timestamp_ms=now_ms)
    assert findings(settings, ManualClock(now_ms - 60_000))["clock"].status == "warn"
    late = findings(settings, ManualClock(now_ms - 600_000))["clock"]
    assert late.status == "fail"
    assert "600.0 s ahead of this machine" in late.what


def test_the_command_prints_a_line_each_and_leaves_with_1_when_something_fails(admin, settings):
    names = [name for name in Settings.model_fields if name.startswith("topic_")]
    env = {f"MONITOR_{name.upper()}": str(getattr(settings, name)) for name in ("brokers", "app_id", *names)}
    told = CliRunner().invoke(doctor, ["--json"], env=env)
    assert told.exit_code == 1
    lines = [json.loads(line) for line in told.output.splitlines()]
    assert {line["check"] for line in lines if line["status"] == "fail"} >= {"topic audit", "topic transactions"}
    assert all(line["fix"] for line in lines if line["status"] in ("warn", "fail"))
    text = CliRunner().invoke(doctor, [], env=env).output
    assert "fail  topic audit" in text
    assert "fix: monitor topics create" in text


def test_a_broker_that_is_down_fails_once_and_the_rest_is_skipped():
    found = findings(Settings(brokers="127.0.0.1:1"))
    assert found["brokers"].status == "fail"
    assert {found[check].status for check in ("topics", "partitioner", "clock")} == {"skip"}


def test_a_real_registry_is_asked_for_our_schema_without_registering_it(registry_url, topic_prefix):
    settings = Settings(schema_registry_url=registry_url, topic_transactions=topic_prefix)
    assert check_schemas(settings).status == "warn"
    assert check_schemas(settings).status == "warn", "looking must not register"
    source = open_source(settings)
    source.id_of(f"{topic_prefix}-value", (settings.schemas_dir / "transaction.avsc").read_text())
    source.close()
    assert check_schemas(settings).status == "ok"


def test_the_clock_of_a_real_registry_is_read(registry_url):
    ahead_ms = registry_ahead_ms(Settings(schema_registry_url=registry_url), SystemClock())
    assert ahead_ms is None or abs(ahead_ms) < 5_000
