"""librdkafka's mock cluster, and the limits that its docstring names."""

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from monitor.embedded.mock import MAX_PARTITION_BYTES, MockCluster
from monitor.errors import BrokerError


@pytest.fixture(scope="module")
def cluster():
    with MockCluster() as running:
        yield running


def test_a_topic_has_the_partitions_it_was_made_with(cluster):
    cluster.create_topic("three", 3)
    seen = AdminClient({"bootstrap.servers": cluster.bootstrap}).list_topics("three", timeout=10)
    assert sorted(seen.topics["three"].partitions) == [0, 1, 2]


def test_a_record_that_was_produced_is_read_back(cluster):
    cluster.create_topic("there-and-back", 1)
    producer = Producer({"bootstrap.servers": cluster.bootstrap})
    producer.produce("there-and-back", b"value", b"key")
    assert producer.flush(10) == 0
    consumer = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": "any"})
    consumer.assign([TopicPartition("there-and-back", 0, 0)])
    record = consumer.poll(10)
    consumer.close()
    assert (record.key(), record.value()) == (b"key", b"value")


def test_a_topic_made_twice_is_refused_by_name(cluster):
    cluster.create_topic("twice", 1)
    with pytest.raises(BrokerError, match="topic twice"):
        cluster.create_topic("twice", 1)


def test_the_mock_forgets_the_oldest_records_beyond_its_limit(cluster):
    """The documented limit is real: a demo or a test must stay below it."""
    cluster.create_topic("too-many", 1)
    producer = Producer({"bootstrap.servers": cluster.bootstrap, "queue.buffering.max.messages": 300_000})
    record = bytes(1024)
    count = MAX_PARTITION_BYTES // len(record) + 2_000
    for _ in range(count):
        producer.produce("too-many", record)
    assert producer.flush(60) == 0
    consumer = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": "any"})
    first, end = consumer.get_watermark_offsets(TopicPartition("too-many", 0), timeout=10)
    consumer.close()
    assert end == count
    assert first > 0


def test_a_cluster_that_was_not_started_says_so():
    with pytest.raises(BrokerError, match="call start"):
        _ = MockCluster().bootstrap


def test_stopping_a_cluster_twice_is_harmless():
    cluster = MockCluster().start()
    cluster.stop()
    cluster.stop()
