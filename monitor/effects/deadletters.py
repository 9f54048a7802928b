"""Dead letters: a rejected record as it came, with the reason in headers. What they say and how to read them: docs/dlq.md.

Header names are those of Kafka Connect's DeadLetterQueueReporter, values text as there, so that tools for Connect's queues work.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.effects.message import Message
from monitor.guard.reasons import Reason
from monitor.wire.records import RawRecord, Run

CONNECT_PREFIX = "__connect.errors."

RECORD_OVERHEAD_BYTES = 128
"""Allowed for what Kafka adds to a lone record: batch header 61, record framing and lengths at most 36."""

HEADER_OVERHEAD_BYTES = 10
"""Allowed for the two lengths of a header: each a varint of at most 5 bytes."""


@dataclass(frozen=True, slots=True)
class DeadLetterTopic:
    """Where dead letters go: the topic, who sends them, and the largest message the topic takes, in bytes."""

    topic: str
    app_id: str
    max_bytes: int


def dead_letter(record: RawRecord, reason: Reason, source_topic: str, partition: int, to: DeadLetterTopic) -> Message:
    """The dead letter of `record`, which was read from `partition` of `source_topic`.

    Key, value and headers are the original's, our headers come after them. If that is beyond `to.max_bytes`, the value gives way
    to a JSON description (digests, sizes, source position); if it still is, the original headers go, and last the key.
    """
    key, kept = record.key, list(record.headers)
    same = _same(reason, source_topic, partition, to.app_id)
    offset, timestamp = str(record.offset).encode(), str(record.timestamp).encode()
    ours = [*same.before, (_OFFSET, offset), *same.behind, (_TIMESTAMP, timestamp)]
    if _bytes(key, record.value, kept) + same.bytes + len(offset) + len(timestamp) <= to.max_bytes:
        return Message(to.topic, key, record.value, None, kept + ours)
    description = _describe(record, source_topic, partition)
    ours.append(("monitor.value.replaced", sha256(record.value or b"").hexdigest().encode()))
    if _bytes(key, description, kept + ours) > to.max_bytes:
        kept, ours = [], [*ours, ("monitor.headers.replaced", str(len(record.headers)).encode())]
    if _bytes(key, description, ours + kept) > to.max_bytes:
        ours.append(("monitor.key.replaced", sha256(key or b"").hexdigest().encode()))
        key = None
    return Message(to.topic, key, description, None, kept + ours)


def dead_letters(run: Run, reasons: NDArray[np.uint8], to: DeadLetterTopic) -> list[Message]:
    """The dead letters of the run's `n` records whose reason (uint8[n], a `Reason`) is not 0, in their order."""
    rows = np.flatnonzero(reasons)
    return [
        dead_letter(record, _REASONS[reason], run.topic, run.partition, to)
        for record, reason in zip(run.records[rows], reasons[rows].tolist(), strict=True)
    ]


_REASONS = {int(reason): reason for reason in Reason}


class _Same(NamedTuple):
    """Headers that are the same for all dead letters of a partition and reason: `before` and `behind` the offset's; `bytes` of all ours, but for the two values
    that differ.
    """

    before: tuple[tuple[str, bytes], ...]
    behind: tuple[tuple[str, bytes], ...]
    bytes: int


@lru_cache(1024)
def _same(reason: Reason, source_topic: str, partition: int, app_id: str) -> _Same:
    before = {f"{CONNECT_PREFIX}topic": source_topic, f"{CONNECT_PREFIX}partition": str(partition)}
    behind = {
        f"{CONNECT_PREFIX}connector.name": app_id,
        f"{CONNECT_PREFIX}task.id": str(partition),
        f"{CONNECT_PREFIX}stage": reason.stage,
        f"{CONNECT_PREFIX}exception.message": reason.explanation,
        "reason": reason.code,
    }
    first, last = (tuple((name, text.encode()) for name, text in each.items()) for each in (before, behind))
    return _Same(first, last, _header_bytes([*first, (_OFFSET, b""), *last, (_TIMESTAMP, b"")]))


_OFFSET, _TIMESTAMP = f"{CONNECT_PREFIX}offset", "monitor.source.timestamp"


def _describe(record: RawRecord, source_topic: str, partition: int) -> bytes:
    """What stands for the value: enough to find the original, and to know it again."""
    return json.dumps(
        {
            "source": {"topic": source_topic, "partition": partition, "offset": record.offset},
            "value": _digest(record.value),
            "key": _digest(record.key),
            "headers": {"count": len(record.headers), "bytes": _header_bytes(record.headers)},
        }
    ).encode()


def _digest(part: bytes | None) -> dict[str, object] | None:
    return None if part is None else {"bytes": len(part), "sha256": sha256(part).hexdigest()}


def _bytes(key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]) -> int:
    """An upper bound of what a message takes as a batch of one."""
    return RECORD_OVERHEAD_BYTES + len(key or b"") + len(value or b"") + _header_bytes(headers)


def _header_bytes(headers: Sequence[tuple[str, bytes]]) -> int:
    # A header's value may be null in Kafka, whatever the types of a client say.
    return sum(HEADER_OVERHEAD_BYTES + len(name.encode()) + len(value or b"") for name, value in headers)
