"""Java's partitioner, byte for byte."""

import pytest
from confluent_kafka import Message, Producer
from hypothesis import given
from hypothesis import strategies as st

from monitor.embedded.mock import MockCluster
from monitor.wire.murmur2 import SAMPLE, misplaced, murmur2, partition_of


@pytest.mark.parametrize(
    ("data", "signed"),
    [
        # UtilsTest.testMurmur2 of Apache Kafka
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_the_hash_equals_the_vectors_of_apache_kafka(data, signed):
    assert murmur2(data) == signed % 2**32


@given(st.binary(max_size=64), st.integers(1, 10_000))
def test_a_partition_is_always_one_that_exists(key, partitions):
    assert 0 <= murmur2(key) < 2**32
    assert 0 <= partition_of(key, partitions) < partitions


def test_librdkafka_with_murmur2_random_puts_keys_where_we_say():
    placed: dict[bytes, int] = {}

    def note(_: object, message: Message) -> None:
        placed[message.key()] = message.partition()

    with MockCluster() as mock:
        mock.create_topic("keys", 7)
        producer = Producer({"bootstrap.servers": mock.bootstrap, "partitioner": "murmur2_random"})
        keys = [b"k" * (number % 5 + 1) + str(number).encode() for number in range(500)]
        for key in keys:
            producer.produce("keys", b"", key=key, on_delivery=note)
        assert producer.flush(10) == 0
    assert placed == {key: partition_of(key, 7) for key in keys}


def test_keys_that_java_would_have_put_elsewhere_are_counted_in_a_sample():
    keys = [f"account-{number}".encode() for number in range(1_000)]
    at_home = [key for key in keys if partition_of(key, 8) == 3]
    assert misplaced(at_home, 3, 8) == 0
    assert misplaced(at_home, 4, 8) == SAMPLE
    assert misplaced([None, at_home[0]], 4, 8) == 1
    assert misplaced(keys, 0, 1) == 0
