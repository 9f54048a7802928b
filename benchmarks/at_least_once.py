"""`python -m benchmarks.at_least_once`: `monitor run` without the protocol, to measure what the protocol costs. Never run it in earnest.

The same worker, but for two things. A run's alerts, dead letters and changelog go by an idempotent producer without a transaction: it
is acknowledged when all of them are delivered, and Faust commits the group's offset, as plain Kafka would. And no audit block is made.
Readers see effects that a crash repeats, a zombie is not fenced, and state counts twice.
"""

import runpy
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from confluent_kafka import Producer
from numpy.typing import NDArray

from monitor import app, pipeline
from monitor.effects.audit import Position
from monitor.effects.message import Message
from monitor.errors import CommitError
from monitor.wire.transactions import BY_KEY


class PlainWriter:
    """A `monitor.wire.log.Writer` that promises less: each message is delivered at least once, and blocks are left out."""

    def __init__(
        self, config: Mapping[str, Any], name: str, commit_timeout_s: float, *_more: Any, **_settings: Any
    ) -> None:
        self._name, self._timeout_s, self._failed = name, commit_timeout_s, list[str]()
        self._producer = Producer(
            {
                **config,
                "on_delivery": self._note,
                "delivery.report.only.error": True,
                "linger.ms": 0,
                "compression.type": "lz4",
                "queue.buffering.max.messages": 1_000_000,
                "queue.buffering.max.kbytes": 1 << 20,
            }
        )

    def fence(self) -> None:
        """Nobody is fenced."""

    def commit(self, messages: Iterable[Message]) -> None:
        produce = self._producer.produce
        for m in messages:
            if m.key is None and m.value == b"":
                continue  # where the block would be
            where = BY_KEY if m.partition is None else m.partition
            if m.headers:
                produce(m.topic, m.value, m.key, where, headers=m.headers)  # type: ignore[arg-type]
            else:
                produce(m.topic, m.value, m.key, where)
        if self._producer.flush(self._timeout_s) or self._failed:
            raise CommitError(f"{self._name}: not delivered: {self._failed[:1]}")

    def _note(self, error: Any, _message: Any) -> None:
        if error is not None:
            self._failed.append(str(error))


def no_block(position: Position, decisions: NDArray[np.void], *_more: Any, **_facts: Any) -> tuple[bytes, Position]:
    """In place of `build_block`: the next position, without decisions, tree, hash or bytes."""
    return b"", replace(position, height=position.height + 1, last_offset=int(decisions["offset"][-1]))


def main() -> None:
    vars(app)["TransactionalWriter"] = PlainWriter
    vars(pipeline)["build_block"] = no_block
    sys.argv = ["monitor", "run"]
    runpy.run_module("monitor", run_name="__main__")


if __name__ == "__main__":
    main()
