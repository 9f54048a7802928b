"""What a worker refuses to go on with, on a real Kafka: it leaves with the code and the sentence that docs/exit-codes.md promises."""

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions
from confluent_kafka.cimpl import NewTopic

from monitor.wire.attempts import Attempts
from monitor.wire.kafka_config import producer_config
from monitor.wire.kafka_log import KafkaLog

TIMEOUT_S = 30


@pytest.fixture
def decided(install, transactions):
    """An installation of one partition that has decided 300 transactions, and stopped."""
    installation = install(partitions=1)
    installation.produce(transactions(300))
    worker = installation.start()
    worker.wait_ready()
    installation.wait_decided()
    assert worker.stop() == 0
    return installation


def admin(installation):
    return AdminClient({"bootstrap.servers": installation.settings.brokers, "log_level": 0})


def make_anew(installation, wait_until, topic):
    client = admin(installation)
    client.delete_topics([topic])[topic].result(TIMEOUT_S)

    def made():
        return client.create_topics([NewTopic(topic, 1, 1)])[topic].exception() is None

    wait_until(made, TIMEOUT_S, lambda: "the topic is not gone")


def compact(client, topic):
    change = ConfigEntry("cleanup.policy", "compact", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[change])
    client.incremental_alter_configs([resource])[resource].result(TIMEOUT_S)


def leaves(installation, wait_until, code, *words):
    worker = installation.start()
    wait_until(lambda: worker.process.poll() is not None, 90, worker.tail)
    installation.workers.remove(worker)
    assert worker.process.returncode == code, worker.tail()
    for each in words:
        assert each in worker.tail()


def test_a_source_topic_made_anew_under_a_running_worker_ends_it_before_anything_is_mixed_up(
    install, transactions, wait_until
):
    installation = install(partitions=1)
    installation.produce(transactions(300))
    worker = installation.start()
    worker.wait_ready()
    installation.wait_decided()
    make_anew(installation, wait_until, installation.settings.topic_transactions)
    wait_until(lambda: worker.process.poll() is not None, 90, worker.tail)
    installation.workers.remove(worker)
    assert worker.process.returncode == 69, worker.tail()
    assert "It was re-created" in worker.tail() or "does not exist" in worker.tail()
    leaves(installation, wait_until, 69, "It was re-created")


def test_an_audit_log_made_anew_is_refused(decided, wait_until):
    make_anew(decided, wait_until, decided.settings.topic_audit)
    leaves(decided, wait_until, 69, "the audit log was lost or renamed")


def test_audit_log_and_changelog_made_anew_are_refused_for_what_the_group_has_decided(decided, wait_until):
    make_anew(decided, wait_until, decided.settings.topic_audit)
    make_anew(decided, wait_until, decided.settings.changelog_topic)
    client = admin(decided)
    compact(client, decided.settings.changelog_topic)
    leaves(decided, wait_until, 69, "has decided", "up to offset 300")


def test_a_changelog_made_anew_is_refused_first_for_its_policy_and_then_for_the_state_it_lost(decided, wait_until):
    make_anew(decided, wait_until, decided.settings.changelog_topic)
    leaves(decided, wait_until, 69, "cleanup.policy = delete")
    client = admin(decided)
    compact(client, decided.settings.changelog_topic)
    leaves(decided, wait_until, 69, "is empty, which is not what block", "the end of the state was lost")


def test_a_changelog_that_something_else_writes_to_is_refused(decided, wait_until):
    producer = Producer(producer_config(decided.settings))
    producer.produce(decided.settings.changelog_topic, b"value", b"account", 0)
    assert producer.flush(TIMEOUT_S) == 0
    leaves(decided, wait_until, 69, "something else writes to it")


def test_another_partition_count_is_refused(decided, wait_until):
    topic, client = decided.settings.topic_transactions, admin(decided)
    client.create_partitions([NewPartitions(topic, 2)])[topic].result(TIMEOUT_S)
    leaves(decided, wait_until, 69, "transactions has 2")


def test_attempts_are_counted_at_one_position_and_begin_anew_at_another(make_topics, kafka, topic_prefix):
    topic = make_topics("transactions", partitions=2)["transactions"]
    attempts = Attempts({"bootstrap.servers": kafka.bootstrap}, topic_prefix, topic)
    assert [attempts.note(0, 7) for _ in range(3)] == [1, 2, 3]
    assert [attempts.note(1, 7), attempts.note(0, 8), attempts.note(0, 7)] == [1, 1, 1]


def test_attempts_that_cannot_be_counted_are_the_first():
    assert Attempts({"bootstrap.servers": "127.0.0.1:1", "log_level": 0}, "app", "topic").note(0, 7) == 1


def test_the_group_s_offset_is_what_somebody_committed(make_topics, kafka, topic_prefix):
    topic = make_topics("transactions", partitions=1)["transactions"]
    log = KafkaLog({"bootstrap.servers": kafka.bootstrap})
    assert log.group_offset(topic_prefix, topic, 0) is None
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": topic_prefix})
    consumer.commit(offsets=[TopicPartition(topic, 0, 42)], asynchronous=False)
    consumer.close()
    assert log.group_offset(topic_prefix, topic, 0) == 42


def test_the_group_s_offset_reaches_the_end_although_nothing_comes_after_a_crash(install, transactions, wait_until):
    installation = install(partitions=1)
    installation.produce(transactions(300))
    dying = installation.start(failpoints="run_committed:kill:1", max_run_records=300)
    wait_until(lambda: dying.process.poll() is not None, 90, dying.tail)
    installation.workers.remove(dying)
    worker = installation.start()
    worker.wait_ready()
    installation.wait_decided()
    settings = installation.settings
    log = KafkaLog({"bootstrap.servers": settings.brokers})
    wait_until(lambda: log.group_offset(settings.app_id, settings.topic_transactions, 0) == 300, 30, worker.tail)
    assert worker.stop() == 0
