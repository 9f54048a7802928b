"""The audit topic, read as a read_committed reader sees it: partition by partition, whatever its size, a few blocks in memory."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from monitor.audit.stored import Stored
from monitor.errors import BrokerError
from monitor.settings import Settings
from monitor.wire.kafka_config import AUDIT_MAX_BYTES, consumer_config

STALL_S = 30.0
"""Silence of the broker after which reading gives up."""

_GROUP = "monitor-audit"  # never joined, never committed


def read_topic(
    settings: Settings, topic: str, partitions: Sequence[int], start: dict[int, int] | None = None
) -> Iterator[Stored]:
    """The committed records of `partitions`, one partition after the other, up to the end that each has when it is reached.

    `start` says per partition at which offset to begin; what retention removed is passed over. Raises `BrokerError`.
    """
    for partition in partitions:
        yield from read_partition(settings, topic, partition, (start or {}).get(partition, 0))


def read_partition(settings: Settings, topic: str, partition: int, start: int = 0) -> Iterator[Stored]:
    """One partition's committed records from `start` on. Raises `BrokerError`."""
    consumer = _consumer(settings)
    try:
        low, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=STALL_S)
        if start > end:
            return  # the log is shorter than it was
        consumer.assign([TopicPartition(topic, partition, max(low, start))])
        heard = time.monotonic()
        while True:
            message = consumer.poll(1.0)
            if message is None:
                if time.monotonic() - heard > STALL_S:
                    raise BrokerError(f"{topic}[{partition}]: nothing for {STALL_S:.0f} s; is Kafka overloaded?")
                continue
            heard = time.monotonic()
            error: Any = message.error()
            if error is None:
                yield Stored(partition, int(message.offset() or 0), message.value() or b"")
            elif error.code() == KafkaError._PARTITION_EOF:
                return
            else:
                raise BrokerError(f"{topic}[{partition}]: reading stopped: {error}")
    except KafkaException as error:
        raise BrokerError(f"{topic}[{partition}]: {error}; check that the topic exists and Kafka answers") from None
    finally:
        consumer.close()


def _consumer(settings: Settings) -> Consumer:
    return Consumer(
        consumer_config(settings, _GROUP)
        | {"fetch.message.max.bytes": AUDIT_MAX_BYTES, "queued.max.messages.kbytes": 64 << 10, "check.crcs": True}
    )
