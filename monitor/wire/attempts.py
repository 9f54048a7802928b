"""How often deciding began at the same position of a partition: kept as the committed offset of a group of its own, whose metadata is the count.

A worker that dies of one record dies again at the same place. What it knew of that dies with it, so the count must be in Kafka; a
committed offset is small, compacted, and needs no topic of its own.
"""

import logging
from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

log = logging.getLogger(__name__)

TIMEOUT_S = 10.0
"""How long the group's coordinator may take to answer."""

SUFFIX = ".attempts"
"""Behind the app id: the group's name."""


class Attempts:
    """Blocking; called in threads. `config` is librdkafka's."""

    def __init__(self, config: Mapping[str, Any], app_id: str, topic: str) -> None:
        self._config = {**config, "group.id": f"{app_id}{SUFFIX}", "enable.auto.commit": False}
        self._topic = topic

    def note(self, partition: int, next_offset: int) -> int:
        """Count this attempt; how many there were at this position, it included.

        What cannot be counted counts as the first: caution must not be one more way to fail.
        """
        consumer = Consumer(self._config)
        try:
            (before,) = consumer.committed([TopicPartition(self._topic, partition)], timeout=TIMEOUT_S)
            told = before.metadata or ""
            count = int(told) + 1 if before.offset == next_offset and told.isdecimal() else 1
            after = TopicPartition(self._topic, partition, next_offset, metadata=str(count))
            consumer.commit(offsets=[after], asynchronous=False)
        except KafkaException as error:
            log.warning("attempts are not counted", extra={"partition": partition, "error": str(error)})
            return 1
        finally:
            consumer.close()
        return count
