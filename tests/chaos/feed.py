"""The stream that goes on while things break: paced, with retries, late and corrupt records, and upstream transactions."""

import random
import threading
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from monitor.settings import Settings
from monitor.simulate.messages import corrupter, transaction_messages
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate
from monitor.wire.kafka_config import producer_config

Message = tuple[bytes | None, bytes | None]

PORTION_S = 0.1
"""So often something is sent."""

COMMITTED_SHARE, ABORTED_SHARE = 0.10, 0.05
"""Of the portions: written in a transaction, and written once more in a transaction that is aborted."""

ABORTED_RECORDS = 20
"""Most records of an aborted transaction."""

LAST_RECORDS = 400
"""At the end, outside transactions: each partition shall end with a record that is to be decided."""

PATIENCE_S = 600.0
"""How long the sender waits for a broker that is away."""


SPARE = 3
"""The simulation has so many times the transactions that are asked for: faults may take longer than thought."""


def stream(seed: int, count: int) -> Iterator[Message]:
    """`SPARE` times `count` transactions, ending now by event time, made as they are taken."""
    spec = SimulationSpec(
        seed=seed, transactions=SPARE * count, accounts=max(count // 60, 200), duplicates=0.01, late=0.01, corrupt=0.002
    )
    spoil, shift = corrupter(seed, spec.corrupt), time.time_ns() // 1_000_000 - spec.end_ms
    for batch in generate(spec):
        moved = batch.moved(shift)
        made = spoil(moved, transaction_messages(moved, 1))
        yield from zip(made.keys, made.values, strict=True)


class Feed(threading.Thread):
    """Sends at least `least` transactions, `rate` a second, and goes on until `finish` is called."""

    def __init__(self, settings: Settings, seed: int, least: int, rate: float) -> None:
        super().__init__(name="feed", daemon=True)
        self.rate = rate
        self.least = least
        self.sent = 0
        self.counts: Counter[str] = Counter()
        self.through: dict[int, int] = {}
        """By partition: the last offset of a record that was written outside a transaction, so one that will be decided."""
        self._history: dict[int, list[tuple[float, int]]] = {}
        self.failure: BaseException | None = None
        self._messages = stream(seed, least)
        self._chance = random.Random(seed)
        self._enough = threading.Event()
        self._config = producer_config(settings) | {"linger.ms": 5, "log_level": 0}
        self._name = f"{settings.app_id}-upstream"
        self._topic = settings.topic_transactions
        self._plain = Producer(self._config | {"delivery.timeout.ms": int(PATIENCE_S * 1000)})
        self._upstream: Producer | None = None

    def sent_after(self, moment: float) -> dict[int, int] | None:
        """By partition: an offset that was sent after this moment (monotonic), the first of about each tenth of a second.

        None while a partition has none; the last one of all when the stream has ended.
        """
        if not self.is_alive():
            return dict(self.through)
        found = {}
        for partition, history in list(self._history.items()):
            at = bisect_right(history, (moment, 1 << 62))
            if at == len(history):
                return None
            found[partition] = history[at][1]
        return found

    @property
    def confirmed(self) -> int:
        """Transactions that Kafka has confirmed."""
        return self.counts["plain"] + self.counts["committed"]

    def finish(self) -> None:
        """Send what is left of `least` as fast as it goes, and end."""
        self._enough.set()
        self.join()
        if self.failure is not None:
            raise self.failure

    def run(self) -> None:
        try:
            self._send_all()
        except BaseException as error:
            self.failure = error

    def _send_all(self) -> None:
        due = 0.0
        while not self._enough.is_set() or self.sent < self.least:
            due = min(due + self.rate * PORTION_S, self.rate)
            if self._enough.is_set():
                due = 2_000
            portion = self._next(int(due))
            due -= len(portion)
            if not portion:
                break  # the simulation has no more
            self._send(portion)
            if not self._enough.is_set():
                time.sleep(PORTION_S)
        self._send_plain(self._next(LAST_RECORDS))
        left = self._plain.flush(PATIENCE_S)
        assert not left, f"{left} transactions could not be delivered"

    def _next(self, count: int) -> list[Message]:
        return [message for _, message in zip(range(max(count, 1)), self._messages, strict=False)]

    def _send(self, portion: list[Message]) -> None:
        draw = self._chance.random()
        if draw < COMMITTED_SHARE:
            self._send_together(portion, commit=True)
            return
        if draw < COMMITTED_SHARE + ABORTED_SHARE:
            self._send_together(portion[:ABORTED_RECORDS], commit=False)
        self._send_plain(portion)

    def _send_plain(self, portion: list[Message]) -> None:
        for key, value in portion:
            while True:
                try:
                    self._plain.produce(self._topic, value, key, on_delivery=self._landed)
                    break
                except BufferError:
                    self._plain.poll(0.1)
        self.sent += len(portion)
        self._plain.poll(0)

    def _send_together(self, portion: list[Message], *, commit: bool) -> None:
        """One transaction. Where its end is unknown (the broker went away), it counts as nothing: the log knows."""
        try:
            producer = self._transactional()
            producer.begin_transaction()
            for key, value in portion:
                producer.produce(self._topic, value, key)
            if commit:
                producer.commit_transaction(30)
                self.sent += len(portion)
            else:
                producer.flush(30)
                producer.abort_transaction(30)
            self.counts["committed" if commit else "aborted"] += len(portion)
        except KafkaException:
            self.counts["unknown"] += len(portion)
            self._upstream = None  # the next one of this name aborts what this one left open

    def _transactional(self) -> Producer:
        if self._upstream is None:
            producer = Producer(self._config | {"transactional.id": self._name, "transaction.timeout.ms": 60_000})
            producer.init_transactions(30)
            self._upstream = producer
        return self._upstream

    def _landed(self, error: KafkaError | None, message: Any) -> None:
        if error is not None:
            self.failure = KafkaException(error)
            return
        self.counts["plain"] += 1
        partition, offset = message.partition(), message.offset()
        self.through[partition] = max(self.through.get(partition, -1), offset)
        history, now = self._history.setdefault(partition, []), time.monotonic()
        if not history or now - history[-1][0] >= PORTION_S:
            history.append((now, offset))
