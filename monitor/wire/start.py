"""Where a new installation begins to read."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from monitor.wire.log import Log


@dataclass(frozen=True, slots=True)
class Start:
    """`earliest`, `latest`, or the first record whose timestamp is at least `time_ms`."""

    kind: Literal["earliest", "latest", "time"]
    time_ms: int = 0


def parse_start(text: str) -> Start:
    """The start that `text` names. Raises ValueError for anything but earliest, latest or an ISO 8601 time with a zone."""
    if text == "earliest":
        return Start("earliest")
    if text == "latest":
        return Start("latest")
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("must be earliest, latest, or a time such as 2026-01-31T00:00:00Z") from None
    if when.tzinfo is None:
        raise ValueError("the time needs a zone: end it with Z or an offset such as +01:00")
    return Start("time", int(when.astimezone(UTC).timestamp() * 1000))


@dataclass(frozen=True, slots=True)
class StartOffsets:
    """Reading begins at `read_from`; below `alerts_from` records build state without alerting."""

    read_from: int
    alerts_from: int


def resolve_start(log: Log, topic: str, partition: int, start: Start, warmup_s: int, now_ms: int) -> StartOffsets:
    """The offsets `start` means now for one partition of a new installation. Raises what `log` does.

    The warm-up lies before a start by time or at the latest record, and after a start at the earliest one.
    """
    low, end = log.watermarks(topic, partition)

    def at(time_ms: int) -> int:
        return log.offset_at_time(topic, partition, time_ms)

    if start.kind == "earliest":
        first = log.first_from(topic, partition, low) if warmup_s and low < end else None
        return StartOffsets(low, low if first is None else at(first.time_ms + warmup_s * 1000))
    time_ms = now_ms if start.kind == "latest" else start.time_ms
    alerts_from = end if start.kind == "latest" else at(time_ms)
    if not warmup_s:
        return StartOffsets(alerts_from, alerts_from)
    return StartOffsets(min(at(time_ms - warmup_s * 1000), alerts_from), alerts_from)
