"""Where a new installation begins to read."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal


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
