"""A block as it lies in a partition of the audit topic, and a block that is pinned: the two things every part here speaks of."""

from dataclasses import dataclass
from typing import NamedTuple

from monitor.effects.block import Block


class Stored(NamedTuple):
    """`value` is the Kafka value, unread; `partition` and `offset` are where Kafka held it."""

    partition: int
    offset: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Anchor:
    """A block by its place and hash, which binds all before it. `block_offset` is where Kafka held it in the audit topic."""

    app_id: str
    topic: str
    topic_id: str
    partition: int
    height: int
    last_offset: int
    block_hash: bytes
    block_offset: int

    @classmethod
    def of(cls, block: Block, block_offset: int) -> "Anchor":
        """That of a block which was read."""
        return cls(
            block.app_id, block.topic, block.topic_id, block.partition,
            block.height, block.last_offset, block.block_hash, block_offset,
        )  # fmt: skip
