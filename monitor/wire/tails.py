"""Reading what was committed last, and everything up to it. Blocking; called in threads."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from monitor.errors import BrokerError

Config = Mapping[str, Any]

T = TypeVar("T")

FIRST_STEP_BACK = 16
"""Offsets; a committed run ends with one marker, and aborted runs leave more: the step grows fourfold until data is found."""

STALL_S = 30.0
"""Silence of the broker after which a read gives up."""

RETRY_S = 0.1
"""Between two questions to a broker whose answer will change by itself."""

_PASSING = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,  # a topic just made is known to one broker before the other
    KafkaError._TRANSPORT,
)
"""Errors of a cluster in motion that librdkafka does not call retriable."""


@dataclass(frozen=True, slots=True)
class Tail:
    """A committed data record: the last one of a partition, or the first from some offset. `time_ms` is its Kafka timestamp."""

    offset: int
    value: bytes | None
    time_ms: int


def _reader(config: Config) -> Consumer:
    return Consumer(
        {
            **config,
            "group.id": "monitor-tails",  # never joined, never committed
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 10,
            "check.crcs": True,
        }
    )


def watermarks(config: Config, topic: str, partition: int) -> tuple[int, int]:
    """First offset still in the log, and the offset after the last. Raises `BrokerError`."""
    consumer = _reader(config)
    try:
        return _watermarks(consumer, topic, partition)
    finally:
        consumer.close()


def _watermarks(consumer: Consumer, topic: str, partition: int) -> tuple[int, int]:
    where = TopicPartition(topic, partition)
    found = _asked(
        lambda: consumer.get_watermark_offsets(where, timeout=STALL_S),
        f"{topic}[{partition}]: no watermarks",
    )
    if found is None:
        raise BrokerError(f"{topic}[{partition}]: Kafka did not answer in {STALL_S:.0f} s; check the brokers setting")
    return int(found[0]), int(found[1])


def _asked(ask: Callable[[], T], what: str) -> T:
    """The broker's answer; errors that pass by themselves (a leader that moves) are waited out for `STALL_S`. Raises `BrokerError`."""
    deadline = time.monotonic() + STALL_S
    while True:
        try:
            return ask()
        except KafkaException as error:
            if (not error.args[0].retriable() and error.args[0].code() not in _PASSING) or time.monotonic() > deadline:
                raise BrokerError(f"{what} ({error}); check that the topic exists and Kafka answers") from error
            time.sleep(RETRY_S)


def read_tail(config: Config, topic: str, partition: int) -> Tail | None:
    """The last committed data record, behind transaction markers and aborted records; None when there is none."""
    consumer = _reader(config)
    try:
        low, end = _watermarks(consumer, topic, partition)
        at, step = end, FIRST_STEP_BACK
        while at > low:
            at, step = max(low, at - step), step * 4
            consumer.assign([TopicPartition(topic, partition, at)])
            found: Tail | None = None
            for message in _until_end(consumer, topic, partition):
                found = Tail(message.offset(), message.value(), message.timestamp()[1])
            if found is not None:
                return found
        return None
    finally:
        consumer.close()


def offset_at_time(config: Config, topic: str, partition: int, time_ms: int) -> int:
    """The first offset whose timestamp is at least `time_ms`; the end of the log when there is none."""
    consumer = _reader(config)
    try:
        _, end = _watermarks(consumer, topic, partition)
        (found,) = _asked(
            lambda: consumer.offsets_for_times([TopicPartition(topic, partition, time_ms)], timeout=STALL_S),
            f"{topic}[{partition}]: no offset for time {time_ms} ms",
        )
        return int(found.offset) if found.offset >= 0 else end
    finally:
        consumer.close()


def first_from(config: Config, topic: str, partition: int, offset: int) -> Tail | None:
    """The first committed record at or after `offset`, by a fresh read; None at the end of the log."""
    consumer = _reader(config)
    try:
        consumer.assign([TopicPartition(topic, partition, offset)])
        for message in _until_end(consumer, topic, partition):
            return Tail(message.offset(), message.value(), message.timestamp()[1])
        return None
    finally:
        consumer.close()


def read_through(config: Config, topic: str, partition: int, last: int) -> Iterator[Sequence[Any]]:
    """Batches of all committed records from the beginning up to offset `last`, which must be a data record.

    Raises `BrokerError` when nothing comes for `STALL_S`.
    """
    consumer = _reader({**config, "queued.min.messages": 100_000, "fetch.message.max.bytes": 4 << 20})
    try:
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
        at, heard = -1, time.monotonic()
        while at < last:
            batch: list[Any] = []
            for message in consumer.consume(10_000, 0.1):  # waits for all of them or for the time: keep it short
                error = message.error()
                if error is None:
                    batch.append(message)
                elif error.code() != KafkaError._PARTITION_EOF:
                    raise BrokerError(f"{topic}[{partition}]: reading stopped at {at} of {last}: {error}")
            if batch:
                at, heard = int(batch[-1].offset()), time.monotonic()
                yield [message for message in batch if message.offset() <= last]
            elif time.monotonic() - heard > STALL_S:
                raise BrokerError(
                    f"{topic}[{partition}]: nothing for {STALL_S:.0f} s at {at} of {last}; is Kafka overloaded?"
                )
    finally:
        consumer.close()


@dataclass(frozen=True, slots=True)
class PartitionLog:
    """One partition of a topic, as `monitor.wire.start` asks about it. Every method raises `BrokerError`."""

    config: Config
    topic: str
    partition: int

    def watermarks(self) -> tuple[int, int]:
        """First offset still in the log, and the offset after the last."""
        return watermarks(self.config, self.topic, self.partition)

    def first_time_ms(self) -> int | None:
        """The timestamp of the first committed record; None for none."""
        first = first_from(self.config, self.topic, self.partition, self.watermarks()[0])
        return None if first is None else first.time_ms

    def offset_at_time(self, time_ms: int) -> int:
        """The first offset whose timestamp is at least `time_ms`; the end of the log when there is none."""
        return offset_at_time(self.config, self.topic, self.partition, time_ms)


def _until_end(consumer: Consumer, topic: str, partition: int) -> Iterator[Any]:
    heard = time.monotonic()
    while True:
        message = consumer.poll(1.0)
        if message is None:
            if time.monotonic() - heard > STALL_S:
                raise BrokerError(
                    f"{topic}[{partition}]: no end within {STALL_S:.0f} s; is an upstream transaction hanging?"
                )
            continue
        heard = time.monotonic()
        error = message.error()
        if error is None:
            yield message
        elif error.code() == KafkaError._PARTITION_EOF:
            return
        else:
            raise BrokerError(f"{topic}[{partition}]: {error}")
