"""A producer for what may be lost: it never waits for a broker, and what is not taken is an error of the moment."""

from typing import Any, Protocol

from confluent_kafka import KafkaError, Producer

QUEUE_KBYTES = 64 << 10
"""Bytes that may wait for the broker."""

FLUSH_S = 1.0


class Outgoing(Protocol):
    """A record for a topic."""

    @property
    def topic(self) -> str: ...
    @property
    def key(self) -> bytes: ...
    @property
    def value(self) -> bytes: ...


class BestEffortWriter:
    """Made on first use: who has nothing to say opens no connection."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config | {"linger.ms": 50, "queue.buffering.max.kbytes": QUEUE_KBYTES, "compression.type": "lz4"}
        self._producer: Producer | None = None
        self._failed: KafkaError | None = None

    def write(self, record: Outgoing) -> None:
        """Hand a record over. Raises `BufferError` when the queue is full, and `OSError` with what became of one before."""
        if self._producer is None:
            self._producer = Producer(self._config)
        self._producer.poll(0)
        if self._failed is not None:
            failed, self._failed = self._failed, None
            raise OSError(f"topic {record.topic}: {failed.str()}")
        self._producer.produce(record.topic, record.value, record.key, on_delivery=self._delivered)

    def flush(self) -> None:
        """Wait for the broker's answers, `FLUSH_S` at most."""
        if self._producer is not None:
            self._producer.flush(FLUSH_S)

    def _delivered(self, error: KafkaError | None, _message: Any) -> None:
        self._failed = error or self._failed
