"""Do the producers of transactions place keys as ours do? Two placements put one account into two partitions."""

import time
import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence

from confluent_kafka import Consumer, KafkaException, TopicPartition

from monitor.commands.checks.finding import Finding, fail, ok, skip, warn
from monitor.settings import Settings
from monitor.wire.kafka_config import consumer_config
from monitor.wire.murmur2 import partition_of

CHECK = "partitioner"
SAMPLE_RECORDS = 2000
PARTITION_RECORDS = 200
TIMEOUT_S = 10.0
FIX = "set partitioner=murmur2_random in every producer built on librdkafka (its default is CRC32); Java has it right"

Sample = tuple[bytes, int]
"""A record's key and its partition."""


def check_partitioner(settings: Settings, partitions: int, timeout_s: float = TIMEOUT_S) -> Finding:
    """Read the newest transactions of some partitions and compare where their keys are with where they belong."""
    if partitions < 2:
        return skip(CHECK, f"{settings.topic_transactions} has {partitions} partition: every key is in the right one")
    try:
        return judge_sample(read_sample(settings, partitions, timeout_s), partitions)
    except KafkaException as error:
        fix = "may this user read the topic?"
        return fail(CHECK, f"{settings.topic_transactions}: cannot be sampled ({error.args[0].str()})", fix)


def judge_sample(sample: Sequence[Sample], partitions: int) -> Finding:
    """The finding for keys and the partitions they were seen in."""
    if not sample:
        return skip(CHECK, "there are no transactions with a key yet")
    keys = {key for key, _ in sample}
    as_java = sum(partition_of(key, partitions) == partition for key, partition in sample)
    as_crc32 = sum(zlib.crc32(key) % partitions == partition for key, partition in sample)
    seen = f"{len(sample)} recent transactions, {len(keys)} accounts"
    if as_java == len(sample):
        return ok(CHECK, f"murmur2: {seen}, all where Java's producers put them")
    if as_crc32 == len(sample):
        what = f"{seen}, all placed by CRC32: consistent, until a producer of another kind joins"
        return warn(CHECK, what, FIX)
    if twice := _in_two_partitions(sample):
        what = f"producer uses another partitioner: {twice} of {len(keys)} accounts are in two partitions at once"
        return fail(CHECK, what, FIX)
    what = f"producer uses another partitioner: {len(sample) - as_java} of {seen} are elsewhere"
    return fail(CHECK, what, FIX)


def read_sample(settings: Settings, partitions: int, timeout_s: float) -> list[Sample]:
    """Keys of the newest records of evenly spread partitions. Joins no group and commits nothing. Raises `KafkaException`."""
    consumer = Consumer(consumer_config(settings, f"{settings.app_id}-doctor"))
    try:
        step = -(-partitions * PARTITION_RECORDS // SAMPLE_RECORDS)
        starts = list(_starts(consumer, settings.topic_transactions, range(0, partitions, step), timeout_s))
        if not starts:
            return []
        consumer.assign(starts)
        return _read(consumer, len(starts), time.monotonic() + timeout_s)
    finally:
        consumer.close()


def _starts(consumer: Consumer, topic: str, partitions: Iterable[int], timeout_s: float) -> Iterable[TopicPartition]:
    for partition in partitions:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=timeout_s)
        if high > low:
            yield TopicPartition(topic, partition, max(low, high - PARTITION_RECORDS))


def _read(consumer: Consumer, partitions: int, deadline: float) -> list[Sample]:
    sample: list[Sample] = []
    ended: set[int] = set()
    while len(ended) < partitions and time.monotonic() < deadline:
        for message in consumer.consume(PARTITION_RECORDS, timeout=0.2):
            key, partition = message.key(), message.partition()
            if message.error() and partition is not None:
                ended.add(partition)
            elif isinstance(key, bytes) and partition is not None:
                sample.append((key, partition))
    return sample


def _in_two_partitions(sample: Iterable[Sample]) -> int:
    places: dict[bytes, set[int]] = defaultdict(set)
    for key, partition in sample:
        places[key].add(partition)
    return sum(len(found) > 1 for found in places.values())
