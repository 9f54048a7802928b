"""Facts about Faust, aiokafka and librdkafka, as installed, that the design leans on. One that fails was mended, moved or got worse:
read what the monitor does about it (named in each test) before changing the test.

Driven here without Kafka, as cheap as they can be. Known and not driven, since each takes a cluster under load or a long run:
the restart that resumes before it seeks (its order in the source is held here; tests/integration/test_restart.py restarts
workers), a changelog that cannot be read and hangs recovery, commits that stick at a folded gap after a rebalance, replays
after every rebalance, a member that is thrown out when all its partitions are paused, `take()` acking its batch when it failed,
RocksDB ahead of its changelog, and the speed of the idiomatic way.
"""

import asyncio
import inspect
import ssl
from collections import defaultdict
from types import SimpleNamespace

import faust
import pytest
from aiokafka import AIOKafkaConsumer
from faust.auth import SASLCredentials, SSLCredentials
from faust.stores.memory import Store as MemoryStore
from faust.tables.recovery import Recovery
from faust.transport.conductor import ConductorCompiler
from faust.transport.consumer import Consumer
from faust.transport.drivers import aiokafka as driver
from faust.transport.producer import ProducerBuffer
from faust.types import TP
from faust.types.auth import AuthProtocol
from intervaltree import IntervalTree

SOURCE = TP("transactions", 0)
UPGRADE = "upgrade: re-check"


def app(**settings):
    return faust.App("tripwires", broker="kafka://127.0.0.1:1", autodiscover=False, web_enabled=False, **settings)


def books(committed, acked):
    """Faust's book-keeping of one partition, without the rest of a consumer."""
    return SimpleNamespace(
        _acked={SOURCE: list(acked)},
        _acked_index={SOURCE: set(acked)},
        _gap=defaultdict(IntervalTree),
        _committed_offset={SOURCE: committed},
    )


# Security: monitor/wire/kafka_config.py passes a context always, and refuses what Faust would send in the clear.


def test_sasl_without_a_context_silently_means_plaintext():
    assert SASLCredentials(username="u", password="p").protocol == AuthProtocol.SASL_PLAINTEXT
    with_context = SASLCredentials(username="u", password="p", ssl_context=ssl.create_default_context())
    assert with_context.protocol == AuthProtocol.SASL_SSL


def test_tls_credentials_without_arguments_are_a_type_error():
    with pytest.raises(TypeError):
        SSLCredentials()
    assert SSLCredentials(ssl.create_default_context()).protocol == AuthProtocol.SSL


# Commits: monitor/wire/transport.py overrides _new_offset and _add_gap; monitor/partition.py acks strictly in order.


def test_an_unprocessed_record_is_passed_when_the_next_one_is_acked():
    assert Consumer._new_offset(books(committed=37, acked=[38]), SOURCE) == 39, f"37 was never acked; {UPGRADE}"


def test_a_fresh_group_commits_behind_whatever_is_acked_first():
    assert Consumer._new_offset(books(committed=None, acked=[500]), SOURCE) == 501, UPGRADE
    assert Consumer._new_offset(books(committed=0, acked=[500]), SOURCE) == 501, UPGRADE


async def test_a_gap_swallows_the_record_that_showed_it():
    kept = books(committed=11, acked=[])
    await Consumer._add_gap(kept, SOURCE, 12, 13)  # 13 came after 11; 12 is a marker. 13 is not acked
    kept._acked[SOURCE].append(14)
    assert Consumer._new_offset(kept, SOURCE) == 15, UPGRADE


def test_a_commit_sticks_behind_a_gap_of_chunks():
    assert Consumer._new_offset(books(committed=100, acked=[599, 1099]), SOURCE) is None, UPGRADE


def test_acks_are_forgotten_before_anyone_is_told_of_a_revocation():
    source = inspect.getsource(Consumer.on_partitions_revoked)
    assert source.index("self._acked.pop") < source.index("self._on_partitions_revoked"), UPGRADE


def test_a_record_that_cannot_be_decoded_is_acked_before_anyone_sees_it():
    """Raw bytes go in, and monitor/wire/decode.py decodes."""
    source = inspect.getsource(ConductorCompiler.build)
    handler = source[source.index("except ValueDecodeError") :]
    assert handler.index("message.ack(") < handler.index("on_value_decode_error"), UPGRADE


# Flushing: everything a run leaves behind goes by monitor/wire/transactions.py, never by Faust's producer.


async def test_a_flush_returns_while_a_message_is_still_in_flight():
    in_flight = asyncio.Event()

    class Channel:
        async def publish_message(self, fut, wait):
            in_flight.set()
            await asyncio.Event().wait()  # a broker that does not answer

    buffer = ProducerBuffer()
    buffer.app = SimpleNamespace(conf=SimpleNamespace(producer_threaded=False))
    await buffer.start()
    try:
        for _ in range(4):
            buffer.put(SimpleNamespace(message=SimpleNamespace(channel=Channel())))
        await in_flight.wait()
        await asyncio.wait_for(buffer.flush(), 30)
        assert buffer.pending.qsize() == 3, f"nothing was delivered, and flush is back; {UPGRADE}"
    finally:
        buffer.pending = asyncio.Queue()  # else stopping refuses to flush
        await buffer.stop()


def test_faust_commits_after_such_a_flush():
    source = inspect.getsource(Consumer._commit_offsets)
    assert source.index("producer.flush()") < source.index("await self._commit("), UPGRADE


# Restart and recovery: the gap check of monitor/partition.py; bulk load from highwaters; fatal on replay in monitor/state/store.py.


def test_recovery_resumes_partitions_before_it_seeks():
    source = inspect.getsource(Recovery.on_recovery_completed)
    assert source.index("resume_partitions") < source.index("perform_seek"), (
        f"Faust seeks first now: the gap check stays, its reason is weaker; {UPGRADE}"
    )


def test_an_error_in_recovery_is_a_warning_and_no_more():
    source = inspect.getsource(Recovery._slurp_changelogs.fun)
    handler = source[source.rindex("except Exception") :]
    assert "logger.warning" in handler, UPGRADE
    assert "raise" not in handler, UPGRADE


def test_the_highwater_loses_one_on_its_way():
    """So our transport answers the last data record + 1."""
    assert "value - 1 if value is not None else -1" in inspect.getsource(Recovery._build_highwaters), UPGRADE


def test_a_seek_does_not_wait_for_the_thread_that_fetches():
    """So monitor/wire/transport.py trusts no fetch that a seek came into."""
    assert not inspect.iscoroutinefunction(driver.AIOKafkaConsumerThread.seek), UPGRADE


def test_a_table_with_a_schema_reads_its_changelog_as_json():
    raw = faust.Schema(key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    assert app().Table("by-schema", schema=raw).key_serializer == "json", UPGRADE
    by_type = app().Table("by-type", key_type=bytes, value_type=bytes, default=bytes)
    assert (by_type.key_serializer, by_type.value_serializer) == ("raw", "raw"), (
        "monitor/app.py names types; " + UPGRADE
    )


def test_standbys_are_on_unless_they_are_turned_off():
    assert app().conf.table_standby_replicas == 1, UPGRADE
    assert app(table_standby_replicas=0).conf.table_standby_replicas == 0


async def test_the_memory_store_drops_what_is_not_active_when_recovery_completes():
    store = MemoryStore("memory://", app(), SimpleNamespace(name="t"), table_name="t")
    store.data.update({b"mine": 1, b"standby": 2})
    store._key_partition.update({b"mine": 0, b"standby": 1})
    await store.on_recovery_completed({TP("t", 0)}, {TP("t", 1)})
    assert store.data == {b"mine": 1}, UPGRADE


# What is read: monitor/wire/transport.py flips the switch while the consumer is made, and sets the wait.


def worker_consumer(in_transaction):
    one = app()
    thread = SimpleNamespace(app=one, consumer=SimpleNamespace(in_transaction=in_transaction), _assignor=None)
    return driver.AIOKafkaConsumerThread._create_worker_consumer(thread, one.transport)


async def test_only_exactly_once_reads_committed_records():
    assert worker_consumer(in_transaction=False)._isolation_level == "read_uncommitted", UPGRADE
    assert worker_consumer(in_transaction=True)._isolation_level == "read_committed", UPGRADE


async def test_an_empty_fetch_waits_a_second_and_a_half_unless_the_consumer_is_told_before_it_starts():
    consumer = worker_consumer(in_transaction=False)
    assert consumer._fetch_max_wait_ms == 1500, UPGRADE
    assert "fetch_max_wait_ms=self._fetch_max_wait_ms" in inspect.getsource(AIOKafkaConsumer.start), UPGRADE
