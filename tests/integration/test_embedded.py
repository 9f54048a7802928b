"""The embedded Kafka is a real one: what the protocol of a run relies on holds, and its data outlives the broker."""

import uuid

import httpx
import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from monitor.embedded.choice import choose
from monitor.embedded.kafka import EmbeddedKafka, available
from monitor.errors import BrokerError

pytestmark = pytest.mark.kafka


def values(bootstrap, topic, count):
    """The first `count` values of partition 0 that a read_committed reader sees."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": uuid.uuid4().hex, "isolation.level": "read_committed"}
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    records = [consumer.poll(30) for _ in range(count)]
    consumer.close()
    assert all(record is not None and record.error() is None for record in records)
    return [record.value() for record in records]


def transactional(kafka, name):
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": name})
    producer.init_transactions(30)
    return producer


def test_a_reader_of_committed_records_never_sees_an_aborted_one(kafka, make_topics, topic_prefix):
    topic = make_topics("t", partitions=1)["t"]
    producer = transactional(kafka, topic_prefix)
    for value, end in ((b"aborted", producer.abort_transaction), (b"committed", producer.commit_transaction)):
        producer.begin_transaction()
        producer.produce(topic, value, partition=0)
        producer.flush(30)
        end(30)
    assert values(kafka.bootstrap, topic, 1) == [b"committed"]


def test_a_zombie_is_fenced_by_its_successor(kafka, make_topics, topic_prefix):
    topic = make_topics("t", partitions=1)["t"]
    zombie = transactional(kafka, topic_prefix)
    zombie.begin_transaction()
    zombie.produce(topic, b"late", partition=0)
    transactional(kafka, topic_prefix)
    with pytest.raises(KafkaException) as refused:
        zombie.commit_transaction(30)
    assert refused.value.args[0].code() in (-144, 90, 47, 57)  # fenced, by whichever of its names reaches us first


def test_a_killed_broker_comes_back_with_its_records_on_its_port():
    can = available()
    if not can:
        pytest.skip(f"NO REAL KAFKA: {can.why}")
    with choose("kafka") as broker:
        server = broker.server
        assert isinstance(server, EmbeddedKafka)
        broker.create_topic("kept", 1)
        broker.create_topic("kept", 1)  # made already: fine
        producer = Producer({"bootstrap.servers": broker.bootstrap})
        producer.produce("kept", b"before")
        assert producer.flush(30) == 0
        before = broker.bootstrap
        server.kill()
        with pytest.raises(BrokerError, match="not running"):
            _ = server.pid
        server.restart()
        assert broker.bootstrap == before
        assert values(before, "kept", 1) == [b"before"]


def test_the_registry_gives_a_schema_back_by_its_id(registry_url):
    schema = '{"type":"record","name":"A","fields":[{"name":"x","type":"long"}]}'
    made = httpx.post(f"{registry_url}/subjects/{uuid.uuid4().hex}-value/versions", json={"schema": schema}, timeout=30)
    found = httpx.get(f"{registry_url}/schemas/ids/{made.json()['id']}", timeout=30)
    assert found.json()["schema"] == schema
