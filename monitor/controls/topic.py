"""The topic of controls: read whole, written with the broker's acknowledgement, and followed by workers. Blocks; called in threads."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from monitor.controls.book import ControlBook
from monitor.controls.controls import NO_CONTROLS
from monitor.controls.history import Written
from monitor.controls.policy import ControlsPolicy
from monitor.controls.record import SCHEMA, Signed
from monitor.errors import BrokerError, TopicError
from monitor.resources import shipped
from monitor.settings import Settings
from monitor.wire.committed import committed, partitions_of
from monitor.wire.kafka_config import consumer_config, producer_config
from monitor.wire.schema_source import open_source
from monitor.wire.topics import TopicFacts

log = logging.getLogger(__name__)

PARTITION = 0
"""The only one: there is one order of all controls."""

ANSWER_S = 5.0
"""How long the broker may take to answer a worker that looks for further controls, and how long it may hand out nothing of what there is."""

LOG_S = 1.0
"""Refusals are logged no more often; /ready and the metric have the others."""

WRITTEN_S = 30.0
AT_ONCE = 1_000

_GROUP = "monitor-controls"  # never joined, never committed


def controls_records(settings: Settings) -> Iterator[Written]:
    """All records of the topic. Raises `TopicError` when there is none such, `BrokerError` when Kafka does not answer."""
    partitions_of(settings, settings.topic_controls)
    for batch in committed(settings, settings.topic_controls, PARTITION):
        for message in batch:
            yield message.offset(), message.key(), message.value()


def write_controls(settings: Settings, controls: Sequence[Signed]) -> list[int]:
    """Produce them, in their order, and the offsets they were acknowledged at by all replicas in sync. Raises `BrokerError`."""
    topic = settings.topic_controls
    schema_id = open_source(settings).id_of(f"{topic}-value", (shipped("schemas") / SCHEMA).read_text(encoding="utf-8"))
    offsets: list[int] = []
    failed: list[KafkaError] = []

    def delivered(error: KafkaError | None, message: Any) -> None:
        if error is None:
            offsets.append(message.offset())
        else:
            failed.append(error)

    producer = Producer(producer_config(settings) | {"message.timeout.ms": int(WRITTEN_S * 1000)})
    try:
        for each in controls:
            value = each.value(schema_id)
            producer.produce(topic, value, each.control.key.encode(), PARTITION, on_delivery=delivered)
        left = producer.flush(WRITTEN_S + ANSWER_S)
    except (KafkaException, BufferError) as error:
        raise BrokerError(f"topic {topic}: {error}; see monitor controls list for what was written") from None
    if left or failed:
        why = failed[0].str() if failed else f"no answer in {WRITTEN_S:.0f} s"
        raise BrokerError(
            f"topic {topic}: {left + len(failed)} of {len(controls)} not acknowledged ({why}); see monitor controls list, then decide the rest anew"
        )
    return offsets


def not_kept_whole(topic: TopicFacts) -> str | None:
    """Why the topic of controls loses records, if its configuration is known and says so."""
    policy = (topic.config or {}).get("cleanup.policy", "delete")
    if "compact" not in policy:
        return None
    return f"topic {topic.name}: cleanup.policy = {policy}: only the last record a key stays, and blocks name all; set it to delete, and restart"


class _AnotherTopic(Exception):
    """Where the last record that was read lay, there is another."""


class ControlsFollower:
    """A worker's book, and what it has not read yet. Opens no connection before it looks.

    `not_whole` is a problem that stays. `book` may be in the middle of the topic, where controls stand that are withdrawn later; `controls` and `counts` never are.
    """

    def __init__(
        self,
        settings: Settings,
        policy: ControlsPolicy,
        monotonic_s: Callable[[], float] = time.monotonic,
        not_whole: str | None = None,
    ) -> None:
        self._topic = settings.topic_controls
        self._config = consumer_config(settings, _GROUP) | {"fetch.wait.max.ms": 10}
        self._monotonic_s, self._not_whole, self._policy = monotonic_s, not_whole, policy
        self._logged_s = -float("inf")
        self._consumer: Consumer | None = None
        self._there = False
        self._next = 0
        self._last: tuple[bytes | None, bytes | None] | None = None  # key and value of the last record
        self._one_at_a_time = threading.Lock()
        self._leaving = threading.Event()
        self.book = ControlBook(policy)
        self.controls = NO_CONTROLS
        """What the topic gave when it was last read to the end that a look began with."""
        self.counts = self.book.counts()
        """How many of them are not withdrawn, by kind."""
        self.refusals = 0
        """Records passed over since the start."""
        self.problem: str | None = None
        """Why `controls` may not be all there is; None while they are."""

    def look(self) -> bool:
        """Read what is there by now, as long as there is progress; whether `controls` are others. What goes wrong is `problem`; what was read before stays."""
        with self._one_at_a_time:
            if self._leaving.is_set():  # else the connection would be opened again
                return False
            before = self.controls.version
            try:
                problem = self._read()
                self.controls, self.counts = self.book.controls, self.book.counts()
            except (KafkaException, BrokerError) as error:
                problem = f"topic {self._topic}: {error}; going on with the controls known"
            if problem is not None and self.problem is None:
                log.warning("controls", extra={"error": problem})
            self.problem = problem
            return self.controls.version != before

    def close(self) -> None:
        """Let go of the connection, as soon as a look that is under way has ended; it reads no further."""
        self._leaving.set()
        with self._one_at_a_time:
            if self._consumer is not None:
                self._consumer.close()
                self._consumer = None

    def _read(self) -> str | None:
        consumer = self._opened()
        first, end = self._bounds(consumer)
        if end < self._next:
            raise TopicError(
                f"{end} records, {self._next} were read; it was emptied or made anew: restore it, or restart"
            )
        if self._next < end:
            try:
                self._read_to(consumer, first, end)
            except _AnotherTopic:
                log.warning("controls topic made anew", extra={"topic": self._topic, "known": self.book.version})
                self.book, self._next, self._last = ControlBook(self._policy), 0, None
                self._read_to(consumer, first, end)
        if first > 0:
            return f"topic {self._topic}: begins at {first}: older controls were deleted; set its retention.ms and retention.bytes to -1"
        return self._not_whole

    def _read_to(self, consumer: Consumer, first: int, end: int) -> None:
        """Fold on to `end`, from the last record that is known: it must be the same still. Raises `_AnotherTopic`, and what `_fold_to` does."""
        known = self.book.last_offset if self._last is not None else self._next
        # assigned for so long only: an open fetch would keep the next question waiting, and ask the broker all day
        consumer.assign([TopicPartition(self._topic, PARTITION, max(known, first))])
        try:
            self._fold_to(consumer, end)
        finally:
            consumer.unassign()

    def _fold_to(self, consumer: Consumer, end: int) -> None:
        """Fold on to `end`. Raises `BrokerError` when nothing comes for `ANSWER_S`; the next look goes on from there."""
        heard_s = self._monotonic_s()
        while self._next < end:
            before = self._next
            for message in consumer.consume(AT_ONCE, 0.05):
                self._take(message)
            if self._next > before:
                heard_s = self._monotonic_s()
            elif self._monotonic_s() - heard_s > ANSWER_S:
                raise BrokerError(
                    f"read up to {self._next} of {end}, then nothing for {ANSWER_S:g} s; is Kafka overloaded?"
                )
            if self._leaving.is_set() and self._next < end:
                raise BrokerError(f"read up to {self._next} of {end} when the worker was stopped; start it again")

    def _take(self, message: Any) -> None:
        error = message.error()
        if error is None:
            record = message.key(), message.value()
            if message.offset() > self.book.last_offset:
                self._add(message.offset(), *record)
            elif record != self._last:
                raise _AnotherTopic
        elif error.code() == KafkaError._PARTITION_EOF:  # behind markers of transactions too
            self._next = max(self._next, message.offset())
        elif not error.retriable():
            raise BrokerError(error.str())

    def _add(self, offset: int, key: bytes | None, value: bytes | None) -> None:
        refused = self.book.add(offset, key, value)
        self._next, self._last = offset + 1, (key, value)
        if refused is None:
            return
        self.refusals += 1
        now_s = self._monotonic_s()
        if now_s - self._logged_s >= LOG_S:
            log.error("control refused", extra={"error": refused})
            self._logged_s = now_s

    def _opened(self) -> Consumer:
        """Once the topic is there."""
        if self._consumer is None:
            self._consumer = Consumer(self._config)
        if not self._there:
            found = self._consumer.list_topics(self._topic, timeout=ANSWER_S).topics[self._topic]
            if found.error is not None:
                raise TopicError(f"{found.error}; monitor topics create makes it")
            self._there = True
        return self._consumer

    def _bounds(self, consumer: Consumer) -> tuple[int, int]:
        """The first offset, and that behind the last."""
        found = consumer.get_watermark_offsets(TopicPartition(self._topic, PARTITION), timeout=ANSWER_S)
        if found is None:
            raise BrokerError(f"no answer in {ANSWER_S:g} s; is Kafka up?")
        return int(found[0]), int(found[1])
