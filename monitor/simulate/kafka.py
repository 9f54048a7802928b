"""Batches to Kafka: transactions, and labels if wanted, at a rate or as fast as the broker takes them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from monitor.errors import BrokerError, TopicError
from monitor.settings import Settings
from monitor.simulate.batch import Batch
from monitor.simulate.messages import Messages, corrupter, label_messages, schema_text, transaction_messages
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate
from monitor.wire.kafka_config import producer_config
from monitor.wire.schema_source import SchemaSource

_QUEUE_MESSAGES = 200_000
_FLUSH_S = 60.0
_DELIVERY_MS = 60_000
_METADATA_S = 10.0
_STEPS_A_SECOND = 20
"""At a rate, messages go out in so many portions a second."""

Progress = Callable[["Sent"], None]


@dataclass(frozen=True, slots=True)
class Sent:
    """What has been handed to Kafka so far; `corrupted` and `fraud` are parts of `transactions`."""

    transactions: int = 0
    corrupted: int = 0
    fraud: int = 0
    labels: int = 0


def send(
    spec: SimulationSpec,
    settings: Settings,
    source: SchemaSource,
    *,
    rate: float = 0.0,
    labels: bool = False,
    until_ms: int | None = None,
    on_progress: Progress = lambda _sent: None,
) -> Sent:
    """Generate `spec` into the transactions topic, `rate` records a second (0: as fast as possible); returns when all is delivered.

    `until_ms` moves the whole stream in time such that it ends there; None leaves it at `spec.start_ms`. Topics must exist.
    Raises `BrokerError` when the broker does not answer or refuses a record, `TopicError` for a missing topic, `SchemaError`.
    """
    by_ms = 0 if until_ms is None else until_ms - spec.end_ms
    sender = _Sender(settings, source, labels=labels)
    spoil = corrupter(spec.seed, spec.corrupt)
    sent = Sent()
    due = _Schedule(rate)
    for whole in generate(spec):
        for batch in due.portions(whole.moved(by_ms) if by_ms else whole):
            messages = transaction_messages(batch, sender.transaction_id)
            if spec.corrupt > 0:
                messages = spoil(batch, messages)
            sender.produce(settings.topic_transactions, messages)
            told = label_messages(batch, sender.label_id) if labels else Messages([], [])
            sender.produce(settings.topic_labels, told)
            sent = Sent(
                sent.transactions + len(batch),
                sent.corrupted + messages.corrupted,
                sent.fraud + int(batch.is_fraud.sum()),
                sent.labels + len(told),
            )
            on_progress(sent)
    sender.finish()
    return sent


class _Schedule:
    """Cuts batches into portions and waits until each is due."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._begun_s = monotonic()
        self._released = 0

    def portions(self, batch: Batch) -> Iterator[Batch]:
        if self._rate <= 0:
            yield batch
            return
        size = max(int(self._rate / _STEPS_A_SECOND), 1)
        for portion in _cut(batch, size):
            wait_s = self._begun_s + self._released / self._rate - monotonic()
            if wait_s > 0:
                sleep(wait_s)
            self._released += len(portion)
            yield portion


def _cut(batch: Batch, size: int) -> Iterable[Batch]:
    for start in range(0, len(batch), size):
        yield batch.rows(slice(start, start + size))


class _Sender:
    """An idempotent producer that fails loudly: a record that was not delivered is an error, never a smaller count."""

    def __init__(self, settings: Settings, source: SchemaSource, *, labels: bool) -> None:
        self._brokers = settings.brokers
        self._failure: KafkaError | None = None
        self._producer = Producer(
            producer_config(settings)
            | {
                "linger.ms": 20,
                "compression.type": "lz4",
                "queue.buffering.max.messages": _QUEUE_MESSAGES,
                "delivery.timeout.ms": _DELIVERY_MS,
            }
        )
        for topic in [settings.topic_transactions, *([settings.topic_labels] if labels else [])]:
            self._require(topic)
        self.transaction_id = source.id_of(f"{settings.topic_transactions}-value", schema_text("transaction"))
        self.label_id = source.id_of(f"{settings.topic_labels}-value", schema_text("label")) if labels else 0

    def produce(self, topic: str, messages: Messages) -> None:
        produce, poll = self._producer.produce, self._producer.poll
        for key, value in zip(messages.keys, messages.values, strict=True):
            while True:
                try:
                    produce(topic, value, key, on_delivery=self._delivered)
                    break
                except BufferError:
                    poll(0.05)
        poll(0)
        self._check()

    def finish(self) -> None:
        left = self._producer.flush(_FLUSH_S)
        self._check()
        if left:
            raise BrokerError(
                f"brokers {self._brokers}: {left} records not acknowledged within {_FLUSH_S:g} s; check the broker"
            )

    def _require(self, topic: str) -> None:
        try:
            found = self._producer.list_topics(topic, timeout=_METADATA_S).topics[topic]
        except KafkaException as error:
            raise BrokerError(
                f"brokers {self._brokers}: no answer ({error.args[0]}); start Kafka or set MONITOR_BROKERS"
            ) from error
        if found.error is not None:
            raise TopicError(f"topic {topic}: {found.error}; `monitor topics create` makes the missing ones")

    def _delivered(self, error: KafkaError | None, _message: Any) -> None:
        if error is not None:
            self._failure = error

    def _check(self) -> None:
        if self._failure is not None:
            raise BrokerError(f"brokers {self._brokers}: a record was not delivered: {self._failure}")
