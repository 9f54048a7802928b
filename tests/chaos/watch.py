"""How far the audit log is, read all the time: what tells when a fault is over."""

import threading
import time
from bisect import bisect_left
from itertools import pairwise
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from monitor.effects.block import read_block
from monitor.settings import Settings


class Watch(threading.Thread):
    """Reads the audit topic as it grows; `through` is the last decided offset by partition."""

    def __init__(self, settings: Settings, partitions: int) -> None:
        super().__init__(name="watch", daemon=True)
        self.through = dict.fromkeys(range(partitions), -1)
        self.failure: BaseException | None = None
        self._history: dict[int, list[tuple[int, float]]] = {p: [] for p in range(partitions)}
        self._ended = threading.Event()
        self._consumer = Consumer(
            {
                "bootstrap.servers": settings.brokers,
                "group.id": "watch",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "log_level": 0,
            }
        )
        self._consumer.assign([TopicPartition(settings.topic_audit, p, 0) for p in range(partitions)])

    def run(self) -> None:
        try:
            while not self._ended.is_set():
                last: dict[int, Any] = {}
                for message in self._consumer.consume(500, 0.1):
                    if message.error() is None:
                        last[message.partition()] = message.value()
                now = time.monotonic()
                for partition, value in last.items():
                    self.through[partition] = read_block(value).last_offset
                    self._history[partition].append((self.through[partition], now))
        except BaseException as error:
            self.failure = error

    def reached(self, goal: dict[int, int]) -> bool:
        """Whether every partition is decided as far as `goal` says."""
        if self.failure is not None:
            raise self.failure
        return all(self.through[partition] >= offset for partition, offset in goal.items())

    def standstill(self, begin: float, goal: dict[int, int]) -> float:
        """Seconds: the longest that a partition decided nothing between `begin` (monotonic) and its goal, which has been reached."""
        longest = 0.0
        for partition, offset in goal.items():
            history = self._history[partition]
            last = bisect_left(history, (offset, 0.0))
            times = [begin, *(moment for _, moment in history[: last + 1] if moment > begin)]
            longest = max([longest, *(later - earlier for earlier, later in pairwise(times))])
        return longest

    def close(self) -> None:
        self._ended.set()
        self.join()
        self._consumer.close()
