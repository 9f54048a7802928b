"""Kafka's default partitioner, as the Java client has it (`org.apache.kafka.common.utils.Utils.murmur2`).

Keys are hashed one by one, on records that were sampled: this is for `monitor doctor` and for tests, not for the stream. Our
producers leave it to librdkafka (`partitioner=murmur2_random`).
"""

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
