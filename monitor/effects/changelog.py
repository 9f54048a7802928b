"""Changelog records of the accounts a run touched: their state after it, in the partition the transactions came from."""

from collections.abc import Iterable

from monitor.effects.message import Message


def changelog_messages(topic: str, partition: int, keys: Iterable[bytes], values: Iterable[bytes]) -> list[Message]:
    """One message an account: `keys` are account ids, `values` their encoded records, in the same order and number.

    The partition is explicit: state follows the source partition, whatever a partitioner would make of the key.
    """
    return [Message(topic, key, value, partition, []) for key, value in zip(keys, values, strict=True)]
