"""Kafka's default partitioner, as the Java client has it (`org.apache.kafka.common.utils.Utils.murmur2`).

Keys are hashed one by one, on records that were sampled: for `monitor doctor`, a few new accounts of a run, and tests. Our
producers leave it to librdkafka (`partitioner=murmur2_random`).
"""

from collections.abc import Iterable
from itertools import islice

SEED = 0x9747B28C
MULTIPLIER = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """The 32-bit MurmurHash2 of `data` as Kafka computes it, 0 to 2**32 - 1."""
    length = len(data)
    h = SEED ^ length
    whole = length & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * MULTIPLIER & _MASK
        k = (k ^ k >> 24) * MULTIPLIER & _MASK
        h = h * MULTIPLIER & _MASK ^ k
    if whole < length:
        h = (h ^ int.from_bytes(data[whole:], "little")) * MULTIPLIER & _MASK
    h = (h ^ h >> 13) * MULTIPLIER & _MASK
    return h ^ h >> 15


def partition_of(key: bytes, partitions: int) -> int:
    """The partition that Java's producers, and ours, put `key` into."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


SAMPLE = 16
"""New accounts of a run that are looked at: 3 us each."""


def misplaced(keys: Iterable[bytes | None], partition: int, partitions: int) -> int:
    """How many of the first `SAMPLE` keys Java's producers would have put elsewhere: an account that moved has two states."""
    return sum(key is not None and partition_of(key, partitions) != partition for key in islice(keys, SAMPLE))
