"""Reading what was committed last, and everything up to it, with librdkafka. Blocking; called in threads."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from operator import methodcaller
from typing import Any, TypeVar

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from monitor.errors import BrokerError, DamagedLogError, TopicError
from monitor.wire.damage import damaged_log
from monitor.wire.log import Tail
from monitor.wire.records import Record
from monitor.wire.topics import inspect

Config = Mapping[str, Any]

T = TypeVar("T")

FIRST_STEP_BACK = 16
"""Offsets; a committed run ends with one marker, and aborted runs leave more: the step grows fourfold until data is found."""

STALL_S = 30.0
"""Silence of the broker after which a read gives up."""

GONE_S = 5.0
"""How long a topic must not be there to be gone: a broker that has just come up knows of none."""

RETRY_S = 0.1
"""Between two questions to a broker whose answer will change by itself."""

_PASSING = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,  # a topic just made is known to one broker before the other
    KafkaError._UNKNOWN_PARTITION,  # a broker that has just come up lists none yet
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._DESTROY_BROKER,  # metadata named a broker no more that a request was waiting for
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TRANSPORT,
)
"""Errors of a cluster in motion that librdkafka does not call retriable."""


class KafkaLog:
    """Topics of a real broker, read_committed; `config` is librdkafka's. Implements `monitor.wire.log.Log`."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._admin = AdminClient(dict(config))

    def topic_id(self, topic: str) -> str:
        """Kafka's id of the topic as it is now. Raises `TopicError` when it is gone, and stays so for `GONE_S`."""
        deadline = time.monotonic() + GONE_S
        while True:
            facts = inspect(self._admin, [topic])[topic]
            if facts.exists or time.monotonic() > deadline:
                break
            time.sleep(RETRY_S)
        if not facts.exists:
            raise TopicError(
                f"topic {topic}: does not exist (any more); `monitor topics create` makes it anew, see docs/topics.md"
            )
        return facts.topic_id or ""

    def watermarks(self, topic: str, partition: int) -> tuple[int, int]:
        """First offset still in the log, and the offset after the last. Raises `BrokerError`."""
        with _reader(self._config) as consumer:
            return _watermarks(consumer, topic, partition)

    def tail(self, topic: str, partition: int) -> Tail | None:
        """The last committed data record, behind transaction markers and aborted records; None when there is none."""
        with _reader(self._config) as consumer:
            low, end = _watermarks(consumer, topic, partition)
            at, step = end, FIRST_STEP_BACK
            while at > low:
                at, step = max(low, at - step), step * 4
                consumer.assign([TopicPartition(topic, partition, at)])
                found: Any = None
                for message in _until_end(consumer, topic, partition):
                    found = message
                if found is not None:
                    return _tail(found)
            return None

    def offset_at_time(self, topic: str, partition: int, time_ms: int) -> int:
        """The first offset whose timestamp is at least `time_ms`; the end of the log when there is none."""
        with _reader(self._config) as consumer:
            _, end = _watermarks(consumer, topic, partition)
            (found,) = _asked(
                lambda: consumer.offsets_for_times([TopicPartition(topic, partition, time_ms)], timeout=STALL_S),
                f"{topic}[{partition}]: no offset for time {time_ms} ms",
            )
            return int(found.offset) if found.offset >= 0 else end

    def first_from(self, topic: str, partition: int, offset: int) -> Tail | None:
        """The first committed record at or after `offset`, by a fresh read; None at the end of the log."""
        with _reader(self._config) as consumer:
            consumer.assign([TopicPartition(topic, partition, offset)])
            for message in _until_end(consumer, topic, partition):
                return _tail(message)
            return None

    def record_from(self, topic: str, partition: int, offset: int) -> Record | None:
        """The first committed record at or after `offset`; None at the end of the log. One with a header whose name is not UTF-8
        comes without headers. Raises `BrokerError` and `DamagedLogError`.
        """
        with _reader(self._config) as consumer:
            consumer.assign([TopicPartition(topic, partition, offset)])
            for message in _until_end(consumer, topic, partition):
                try:
                    headers = _headers(message) or ()
                except (UnicodeDecodeError, SystemError):
                    headers = ()
                return Record(message.offset(), message.key(), message.value(), message.timestamp()[1], tuple(headers))
            return None

    def group_offset(self, group: str, topic: str, partition: int) -> int | None:
        """The offset that a consumer group has committed; None for none. Raises `BrokerError`."""
        with _reader({**self._config, "group.id": group}) as consumer:
            (found,) = _asked(
                lambda: consumer.committed([TopicPartition(topic, partition)], timeout=STALL_S),
                f"{topic}[{partition}]: no committed offset of group {group}",
            )
            return int(found.offset) if found.offset >= 0 else None

    def read_through(self, topic: str, partition: int, last: int) -> Iterator[tuple[list[bytes], list[bytes | None]]]:
        """Keys and values of all committed records from the beginning up to offset `last`, which must be a data record.

        In batches; an empty one means that nothing came for a moment. Raises `BrokerError` when nothing comes for `STALL_S`.
        """
        in_bulk = {
            "queued.min.messages": 100_000,
            "fetch.message.max.bytes": 4 << 20,
            # librdkafka's queue holds 64 MiB, 30,000 accounts; when it is full it fetches again after 1 s by default: half the time was that
            "fetch.queue.backoff.ms": 5,
        }
        with _reader({**self._config, **in_bulk}) as consumer:
            consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
            at, heard = -1, time.monotonic()
            while at < last:
                batch: list[Any] = []
                for message in consumer.consume(2_000, 0.1):  # waits for all of them or for the time: keep it short
                    error = message.error()
                    if error is None:
                        batch.append(message)
                    elif error.code() != KafkaError._PARTITION_EOF:
                        raise _failure(message, f"{topic}[{partition}]: reading stopped at {at} of {last}")
                if batch:
                    at, heard = int(batch[-1].offset()), time.monotonic()
                    if at > last:
                        batch = [message for message in batch if message.offset() <= last]
                elif time.monotonic() - heard > STALL_S:
                    raise BrokerError(
                        f"{topic}[{partition}]: nothing for {STALL_S:.0f} s at {at} of {last}; is Kafka overloaded?"
                    )
                yield [message.key() for message in batch], [message.value() for message in batch]


@contextmanager
def _reader(config: Config) -> Iterator[Consumer]:
    consumer = Consumer(
        {
            "group.id": "monitor-tails",  # never joined, never committed
            **config,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 10,
            "check.crcs": True,
        }
    )
    try:
        yield consumer
    finally:
        consumer.close()


_headers = methodcaller("headers")
"""librdkafka's binding returns what it has with the exception still set. A plain call of a method is inlined by Python once it is warm,
and then does not look for that; a call from C always does, and raises SystemError."""


def _tail(message: Any) -> Tail:
    return Tail(message.offset(), message.key(), message.value(), message.timestamp()[1])


def _watermarks(consumer: Consumer, topic: str, partition: int) -> tuple[int, int]:
    where = TopicPartition(topic, partition)

    def ask() -> tuple[int, int] | None:
        # librdkafka keeps what a broker said that had just come up, such as a topic without partitions: have it ask anew.
        consumer.list_topics(topic, timeout=STALL_S)
        return consumer.get_watermark_offsets(where, timeout=STALL_S)

    found = _asked(ask, f"{topic}[{partition}]: no watermarks")
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
            raise _failure(message, f"{topic}[{partition}]")


def _failure(message: Any, what: str) -> BrokerError | DamagedLogError:
    """What a message that is an error means."""
    error = message.error()
    if error.code() != KafkaError._BAD_MSG:
        return BrokerError(f"{what}: {error}")
    return damaged_log(what, message.offset(), error.str())
