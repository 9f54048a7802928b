"""A changelog that Kafka has compacted, and whose end is no record that could be read: recovery neither hangs nor forgets."""

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from monitor.wire.kafka_log import KafkaLog
from tests.chaos.stage import Stage, await_until
from tests.verdict import reconcile, violations

EAGER = {
    "cleanup.policy": "compact",
    "segment.ms": "100",
    "min.cleanable.dirty.ratio": "0.0",
    "min.compaction.lag.ms": "0",
    "max.compaction.lag.ms": "500",
    "delete.retention.ms": "0",
}
"""Compact as soon and as thoroughly as Kafka can be made to."""


def writer(bootstrap, name):
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": name, "log_level": 0})
    producer.init_transactions(30)
    return producer


def write(producer, topic, records, *, partition=0, commit=True):
    producer.begin_transaction()
    for key, value in records:
        producer.produce(topic, value, key, partition)
    producer.flush(30)
    if commit:
        producer.commit_transaction(30)
    else:
        producer.abort_transaction(30)


def compacted(bootstrap, producer, topic, partition):
    """Let segments end, by aborted transactions, until no key and no aborted record but of the newest segment is there twice."""

    def is_clean():
        # An append is what ends a segment; what it appends is to be no record of anybody.
        write(producer, topic, [(b"nobody", b"aborted")], partition=partition, commit=False)
        keys = [key for key, _ in everything(bootstrap, topic, partition)]
        return len(keys) == len(set(keys))

    await_until(is_clean, 90, f"{topic}[{partition}] compacted", 0.3)


def everything(bootstrap, topic, partition):
    """(key, value) of all committed records."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "all", "enable.partition.eof": True})
    try:
        consumer.assign([TopicPartition(topic, partition, 0)])
        found = []
        while (message := consumer.poll(20)) is not None and message.error() is None:
            found.append((message.key(), message.value()))
        assert message is not None, f"{topic}[{partition}] does not end"
        return found
    finally:
        consumer.close()


@pytest.mark.parametrize("tail", ["marker", "tombstone", "aborted"])
def test_a_compacted_partition_is_read_to_its_last_record_whatever_stands_behind_it(ground, topic_prefix, tail):
    bootstrap = ground.broker.bootstrap
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(topic_prefix, 1, 1, config=EAGER)])[topic_prefix].result(30)
    producer = writer(bootstrap, topic_prefix)
    keys = [b"account-%d" % number for number in range(40)]
    for version in range(20):
        write(producer, topic_prefix, [(key, b"%d of " % version + key) for key in keys])
    write(producer, topic_prefix, [(keys[0], None), (keys[1], None)])
    compacted(bootstrap, producer, topic_prefix, 0)
    expected = {key: b"19 of " + key for key in keys[2:]}
    if tail == "marker":
        write(producer, topic_prefix, [(keys[5], b"last")])
        expected[keys[5]] = b"last"
    if tail == "tombstone":
        write(producer, topic_prefix, [(keys[6], None)])
        del expected[keys[6]]

    log = KafkaLog({"bootstrap.servers": bootstrap})
    last = log.tail(topic_prefix, 0)
    state = {}
    for some, values in log.read_through(topic_prefix, 0, last.offset):
        state.update(zip(some, values, strict=True))
    assert {key: value for key, value in state.items() if value is not None} == expected
    low, end = log.watermarks(topic_prefix, 0)
    assert end - low > 2 * len(state), "nothing was compacted away: the test tests nothing"
    if tail != "aborted":
        assert last.value == (None if tail == "tombstone" else b"last")


@pytest.mark.timeout(300)
def test_workers_recover_from_a_compacted_changelog_that_ends_with_aborted_records(ground, topic_prefix):
    """Accounts that were idle for a day are forgotten, so that there are tombstones as well."""
    with Stage(ground, topic_prefix, 2, idle_ttl_days=1) as stage:
        stage.start_workers()
        sent = play(stage, 3, 4_000)
        stage.crew.close()
        changelog, bootstrap = stage.installation.settings.changelog_topic, stage.broker.bootstrap
        alter(bootstrap, changelog)
        producer = writer(bootstrap, f"{topic_prefix}-other")
        for partition in range(2):
            compacted(bootstrap, producer, changelog, partition)
        stage.employ()
        stage.start_workers()
        sent += play(stage, 4, 1_000)
        stage.crew.close()
        assert violations(reconcile(stage.installation), sent) == []


def play(stage, seed, count):
    """A stream from its beginning to its decided end; how many transactions it had."""
    feed = stage.feed(seed, count, 1_000.0)
    feed.finish()
    stage.await_decided(feed.through, 120)
    return feed.confirmed


def alter(bootstrap, topic):
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in EAGER.items()
        if name != "cleanup.policy"
    ]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    admin = AdminClient({"bootstrap.servers": bootstrap})  # its requests die with it
    for done in admin.incremental_alter_configs([resource]).values():
        done.result(30)
