"""What the doctor says of the producers' partitioner."""

import zlib

import pytest

from monitor.commands.checks.partitioner import check_partitioner, judge_sample
from monitor.settings import Settings
from monitor.wire.murmur2 import partition_of

KEYS = [f"account-{number}".encode() for number in range(200)]
JAVA = [(key, partition_of(key, 8)) for key in KEYS]
CRC32 = [(key, zlib.crc32(key) % 8) for key in KEYS]


def test_keys_where_java_puts_them_are_ok():
    assert judge_sample(JAVA, 8).status == "ok"


def test_keys_all_by_crc32_are_consistent_but_warned_of():
    finding = judge_sample(CRC32, 8)
    assert finding.status == "warn"
    assert "partitioner=murmur2_random" in finding.fix


def test_two_kinds_of_producers_fail_and_accounts_in_two_places_are_counted():
    finding = judge_sample(JAVA + CRC32, 8)
    twice = sum(java != crc32 for java, crc32 in zip(JAVA, CRC32, strict=True))
    assert finding.status == "fail"
    assert f"producer uses another partitioner: {twice} of 200 accounts are in two partitions" in finding.what


def test_a_partitioner_nobody_knows_fails():
    finding = judge_sample([(key, number % 8) for number, key in enumerate(KEYS)], 8)
    assert finding.status == "fail"
    assert "elsewhere" in finding.what


def test_without_keyed_transactions_nothing_is_judged():
    assert judge_sample([], 8).status == "skip"


@pytest.mark.parametrize("partitions", [0, 1])
def test_one_partition_is_not_looked_at(partitions):
    assert check_partitioner(Settings(brokers="127.0.0.1:1"), partitions).status == "skip"
