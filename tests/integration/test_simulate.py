"""The simulator against a real Kafka: every record arrives once, under its account, in the partition Java would choose."""

import time
from collections import Counter

import pytest
from click.testing import CliRunner
from confluent_kafka import Consumer

from monitor.commands.simulate import simulate
from monitor.errors import BrokerError, TopicError
from monitor.settings import load_settings
from monitor.simulate.kafka import send
from monitor.simulate.messages import schema_text, transaction_messages
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate
from monitor.wire.columns import EVENT_TIME
from monitor.wire.decode import decode
from monitor.wire.hashing import HashKey
from monitor.wire.murmur2 import partition_of
from monitor.wire.reader import compile_reader
from monitor.wire.records import Spans
from monitor.wire.schema_source import open_source

SPEC = SimulationSpec(seed=5, transactions=3000)
READ_TIMEOUT_S = 30


@pytest.fixture
def settings(kafka, make_topics, monkeypatch):
    topics = make_topics("transactions", "labels", partitions=3)
    monkeypatch.setenv("MONITOR_BROKERS", kafka.bootstrap)
    monkeypatch.setenv("MONITOR_TOPIC_TRANSACTIONS", topics["transactions"])
    monkeypatch.setenv("MONITOR_TOPIC_LABELS", topics["labels"])
    return load_settings()


def read(settings, topic, n):
    config = {"bootstrap.servers": settings.brokers, "group.id": topic, "auto.offset.reset": "earliest"}
    consumer = Consumer(config)
    consumer.subscribe([topic])
    found, deadline = [], time.monotonic() + READ_TIMEOUT_S
    while len(found) < n and time.monotonic() < deadline:
        found += consumer.consume(n, 0.2)
    found += consumer.consume(10, 0.5)  # there must be none
    consumer.close()
    return found


def test_the_stream_arrives_whole_in_order_and_ends_now(settings):
    source = open_source(settings)
    until_ms = 1_800_000_000_000
    sent = send(SPEC, settings, source, labels=True, until_ms=until_ms)
    assert sent.transactions == SPEC.transactions
    messages = read(settings, settings.topic_transactions, SPEC.transactions)
    assert len(messages) == SPEC.transactions
    values = [message.value() for message in messages]
    schema_id = source.id_of(f"{settings.topic_transactions}-value", schema_text("transaction"))
    columns = decode(
        Spans.of(values), {schema_id: compile_reader(schema_text("transaction"))}, HashKey.parse("00" * 16), 1 << 20
    )
    assert not columns.reason.any()
    assert until_ms - 86_400_000 < columns.longs[EVENT_TIME].max() < until_ms
    expected = Counter()
    for batch in generate(SPEC):
        expected.update(transaction_messages(batch.moved(until_ms - SPEC.end_ms), schema_id).values)
    assert Counter(values) == expected
    assert all(message.partition() == partition_of(message.key(), 3) for message in messages)
    labels = read(settings, settings.topic_labels, sent.labels)
    assert len(labels) == sent.labels == sent.fraud


def test_the_command_says_what_it_sent(settings):
    result = CliRunner().invoke(
        simulate, ["-n", "1000", "--to-kafka", "--corrupt", "0.05", "--rate", "100000", "--labels"]
    )
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"1000 transactions to {settings.topic_transactions}")
    assert len(read(settings, settings.topic_transactions, 1000)) == 1000


def test_a_missing_topic_is_named(settings):
    absent = settings.model_copy(update={"topic_transactions": "absent.transactions"})
    with pytest.raises(TopicError, match=r"absent\.transactions"):
        send(SPEC, absent, open_source(absent))


def test_a_broker_that_is_not_there_is_named(settings):
    absent = settings.model_copy(update={"brokers": "127.0.0.1:1"})
    with pytest.raises(BrokerError, match=r"127\.0\.0\.1:1"):
        send(SPEC, absent, open_source(absent))
