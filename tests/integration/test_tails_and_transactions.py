"""Reading what was committed last, and writing all or nothing, on a real Kafka."""

import os

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from monitor.effects.message import Message
from monitor.errors import CommitError, FencedError
from monitor.wire.kafka_log import KafkaLog
from monitor.wire.start import Start, StartOffsets, resolve_start
from monitor.wire.transactions import TransactionalWriter

NOW_MS = 1_790_000_000_000


@pytest.fixture
def config(kafka):
    return {"bootstrap.servers": kafka.bootstrap}


@pytest.fixture
def topic(make_topics):
    return make_topics("t", partitions=2)["t"]


@pytest.fixture
def writer(config, topic_prefix):
    def make(name="w", timeout_s=20.0, **options):
        return TransactionalWriter(config, f"{topic_prefix}-{name}", timeout_s, 60_000, **options)

    return make


def abort(config, topic, transactional_id, values):
    producer = Producer({**config, "transactional.id": transactional_id})
    producer.init_transactions(20)
    producer.begin_transaction()
    for value in values:
        producer.produce(topic, value, partition=0)
    producer.flush(20)
    producer.abort_transaction(20)


def uncommitted_end(config, topic):
    consumer = Consumer({**config, "group.id": "unused", "isolation.level": "read_uncommitted"})
    try:
        return consumer.get_watermark_offsets(TopicPartition(topic, 0), 20)[1]
    finally:
        consumer.close()


def message(topic, value, partition=0):
    return Message(topic, b"k", value, partition, [])


def test_an_empty_partition_has_no_tail(config, topic):
    assert KafkaLog(config).tail(topic, 0) is None


def test_the_tail_is_the_last_committed_record_behind_markers_and_aborted_records(config, topic, topic_prefix, writer):
    w = writer()
    w.fence()
    w.commit([message(topic, b"first"), message(topic, b"last")])
    for attempt in range(4):  # more than one step back of aborted records
        abort(config, topic, f"{topic_prefix}-aborting-{attempt}", [b"x" * 10] * 30)

    found = KafkaLog(config).tail(topic, 0)

    assert found is not None
    assert (found.offset, found.value) == (1, b"last")
    assert KafkaLog(config).watermarks(topic, 0)[1] > 100


def test_a_partition_of_aborted_records_alone_has_no_tail(config, topic, topic_prefix):
    abort(config, topic, f"{topic_prefix}-a", [b"x"] * 40)
    assert KafkaLog(config).tail(topic, 0) is None


def test_reading_through_stops_at_the_record_asked_for(config, topic, writer):
    w = writer()
    w.fence()
    for start in range(0, 300, 100):
        w.commit([message(topic, b"%d" % i) for i in range(start, start + 100)])
    last = KafkaLog(config).tail(topic, 0)
    values = [value for _, batch in KafkaLog(config).read_through(topic, 0, last.offset) for value in batch]
    assert values == [b"%d" % i for i in range(300)]


def test_a_fresh_read_finds_the_first_record_after_a_gap_of_aborted_ones(config, topic, topic_prefix, writer):
    abort(config, topic, f"{topic_prefix}-a", [b"x"] * 5)  # offsets 0 to 4, marker at 5
    w = writer()
    w.fence()
    w.commit([message(topic, b"data")])
    found = KafkaLog(config).first_from(topic, 0, 0)
    assert (found.offset, found.value) == (6, b"data")
    assert KafkaLog(config).first_from(topic, 0, 7) is None


def test_an_older_writer_is_fenced_by_a_newer_one_and_its_open_work_is_gone(config, topic, writer):
    zombie, heir = writer(), writer()
    zombie.fence()
    zombie.commit([message(topic, b"before")])
    heir.fence()
    with pytest.raises(FencedError, match="another worker owns this partition"):
        zombie.commit([message(topic, b"zombie")])
    heir.commit([message(topic, b"heir")])
    values = [
        value
        for _, batch in KafkaLog(config).read_through(topic, 0, KafkaLog(config).tail(topic, 0).offset)
        for value in batch
    ]
    assert values == [b"before", b"heir"]


def test_who_stands_at_the_failpoint_finds_the_run_at_the_broker_in_an_open_transaction(config, topic, writer):
    ends = []
    w = writer(
        reach=lambda _point: ends.append((uncommitted_end(config, topic), KafkaLog(config).watermarks(topic, 0)[1]))
    )
    w.fence()
    w.commit([message(topic, b"%d" % i) for i in range(5)])
    assert ends == [(5, 0)]
    assert KafkaLog(config).watermarks(topic, 0)[1] == 6  # the commit's marker after them


def test_a_writer_fenced_before_it_stands_at_the_failpoint_says_so_too(topic, writer):
    reached = []
    zombie = writer(reach=reached.append)
    zombie.fence()
    zombie.commit([message(topic, b"before")])
    writer().fence()
    with pytest.raises(FencedError, match="another worker owns this partition"):
        zombie.commit([message(topic, b"zombie")])
    assert reached == ["run_produced"] * 2


def test_a_record_the_broker_refuses_fails_the_whole_commit_and_the_error_says_why(config, make_topics, topic, writer):
    small = make_topics("small", partitions=1, config={"max.message.bytes": "1000"})["small"]
    w = writer()
    w.fence()
    with pytest.raises(CommitError, match=r"first failed delivery: .*MSG_SIZE_TOO_LARGE"):
        w.commit([message(topic, b"companion"), Message(small, b"k", os.urandom(50_000), 0, [])])
    assert KafkaLog(config).tail(topic, 0) is None


def test_a_new_installation_starts_where_it_is_told(config, topic):
    producer = Producer(config)
    for hour in range(10):
        producer.produce(topic, b"v", partition=0, timestamp=NOW_MS + hour * 3_600_000)
    producer.flush(20)

    def start(kind, time_ms=0, warmup_h=0):
        return resolve_start(
            KafkaLog(config), topic, 0, Start(kind, time_ms), warmup_h * 3600, NOW_MS + 9 * 3_600_000 + 1
        )

    assert start("earliest") == StartOffsets(0, 0)
    assert start("earliest", warmup_h=3) == StartOffsets(0, 3)
    assert start("latest") == StartOffsets(10, 10)
    assert start("latest", warmup_h=4) == StartOffsets(6, 10)
    assert start("time", NOW_MS + 5 * 3_600_000) == StartOffsets(5, 5)
    assert start("time", NOW_MS + 5 * 3_600_000, warmup_h=2) == StartOffsets(3, 5)
    assert start("time", NOW_MS + 99 * 3_600_000) == StartOffsets(10, 10)
