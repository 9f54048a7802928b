"""Changelog records of the accounts a run touched: their state after it, in the partition the transactions came from."""

from collections.abc import Iterable, Sequence
from hashlib import sha256

from monitor.effects.message import Message
from monitor.errors import ProtocolError

NO_TAIL = bytes(32)
"""The tail digest of a partition whose changelog has no message with a value yet."""


def changelog_messages(topic: str, partition: int, keys: Iterable[bytes], values: Iterable[bytes]) -> list[Message]:
    """One message an account: `keys` are account ids, `values` their encoded records, in the same order and number.

    The partition is explicit: state follows the source partition, whatever a partitioner would make of the key.
    """
    return [Message(topic, key, value, partition, []) for key, value in zip(keys, values, strict=True)]


def tombstones(topic: str, partition: int, keys: Iterable[bytes]) -> list[Message]:
    """One message an account that is dropped: compaction takes its record away, and a recovery forgets it."""
    return [Message(topic, key, None, partition, []) for key in keys]


def changelog_tail(key: bytes, value: bytes) -> bytes:
    """SHA-256 (32 bytes) over the key's length (uint32, big-endian), key and value: what the audit block says of the last message.

    The length keeps a byte from moving between key and value unseen.
    """
    return sha256(b"".join((len(key).to_bytes(4, "big"), key, value))).digest()


def tail_of(messages: Sequence[Message]) -> bytes | None:
    """The digest of the last of a run's changelog messages; None for none. Raises `ProtocolError` when that one is a tombstone.

    A run's tombstones stand in front of its records, so that the last message of a changelog always has a value.
    """
    if not messages:
        return None
    last = messages[-1]
    if last.key is None or last.value is None:
        raise ProtocolError(
            f"changelog of {last.topic}[{last.partition}]: a run's last message must have key and value"
        )
    return changelog_tail(last.key, last.value)
