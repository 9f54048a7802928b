"""What leaves the process: a Kafka record still to be produced."""

from typing import NamedTuple


class Message(NamedTuple):
    """A record for `topic`. Partition None: by the key; headers in order, values UTF-8 unless they came from elsewhere.

    A tuple, since a run makes one for each account it touched and a frozen dataclass takes almost twice as long to make.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None
    headers: list[tuple[str, bytes]]
