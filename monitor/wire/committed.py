"""Topics in bulk, as a read_committed reader sees them."""

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from monitor.errors import BrokerError, TopicError
from monitor.settings import Settings
from monitor.wire.kafka_config import consumer_config

STALL_S = 60.0
"""Silence of the broker after which reading gives up."""

ANSWER_S = 30.0
"""How long a broker may take to say which partitions there are."""

_GROUP = "monitor-reading"  # never joined, never committed

AT_ONCE = 2_000
"""Messages a batch."""


def partitions_of(settings: Settings, topic: str) -> list[int]:
    """The partitions of a topic. Raises `TopicError` when there is none such, `BrokerError` when Kafka does not answer."""
    consumer = Consumer(consumer_config(settings, _GROUP))
    try:
        found = consumer.list_topics(topic, timeout=ANSWER_S).topics[topic]
    except KafkaException as error:
        raise BrokerError(f"topic {topic}: {error}; check the brokers setting") from None
    finally:
        consumer.close()
    if found.error is not None:
        raise TopicError(f"topic {topic}: {found.error}; see `monitor topics show`")
    return sorted(found.partitions)


def committed(settings: Settings, topic: str, partition: int, start: int = OFFSET_BEGINNING) -> Iterator[list[Any]]:
    """Committed messages of a partition in batches, from `start` to the end it has when it is reached. Raises `BrokerError`."""
    config = {
        "fetch.queue.backoff.ms": 5,
        "fetch.wait.max.ms": 10,  # the end is told when the broker has waited for more
        "fetch.message.max.bytes": 4 << 20,
        "queued.max.messages.kbytes": 32 << 10,
    }
    consumer = Consumer(consumer_config(settings, _GROUP) | config)
    try:
        with suppress(KafkaException):  # it asks by itself, but half a second later; who does not answer is found below
            consumer.list_topics(topic, timeout=ANSWER_S)
        consumer.assign([TopicPartition(topic, partition, start)])
        heard, ended = time.monotonic(), False
        while not ended:
            batch = []
            for message in consumer.consume(AT_ONCE, 0.1):
                error = message.error()
                if error is None:
                    batch.append(message)
                elif error.code() == KafkaError._PARTITION_EOF:
                    ended = True
                else:
                    raise BrokerError(f"{topic}[{partition}]: reading stopped: {error}; check that the topic exists")
            if batch:
                heard = time.monotonic()
                yield batch
            elif not ended and time.monotonic() - heard > STALL_S:
                raise BrokerError(f"{topic}[{partition}]: nothing for {STALL_S:.0f} s; is Kafka overloaded?")
    finally:
        consumer.close()
