"""Facts about Faust, aiokafka and librdkafka, as installed, that the design leans on. One that fails was mended, moved or got worse:
read what the monitor does about it (named in each test) before changing the test.

Driven here without Kafka, as cheap as they can be; where that cannot be done, the order in the source is held. Known and not
driven, since each takes a cluster under load or a long run: RocksDB ahead of its changelog, a member thrown out when all its
partitions are paused, and the speed of the idiomatic way. What the monitor does about a restart that resumes before it seeks, about
replays after a rebalance and about commits that stick is driven on a real Kafka by tests/integration/test_restart.py and tests/chaos.
"""

import asyncio
import inspect
import re
import ssl
import time
from collections import defaultdict
from contextlib import asynccontextmanager
from importlib import metadata
from types import SimpleNamespace

import aiokafka.codec
import faust
import faust.streams as streams
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.group_coordinator import GroupCoordinator
from confluent_kafka import Consumer as Client
from confluent_kafka import Producer, TopicPartition
from faust.assignor.client_assignment import CopartitionedAssignment
from faust.assignor.copartitioned_assignor import CopartitionedAssignor
from faust.auth import SASLCredentials, SSLCredentials
from faust.events import Event
from faust.stores.memory import Store as MemoryStore
from faust.streams import Stream
from faust.tables.recovery import Recovery
from faust.transport.conductor import ConductorCompiler
from faust.transport.consumer import Consumer
from faust.transport.drivers import aiokafka as driver
from faust.transport.producer import ProducerBuffer
from faust.types import TP
from faust.types.auth import AuthProtocol
from faust.types.tuples import Message
from intervaltree import IntervalTree

from monitor.embedded.mock import MockCluster

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


# Agents: monitor/app.py has one agent, with concurrency 1, that acks nothing itself; an unexpected error ends the process.


def fed(one, count):
    """A channel, and the events to put on it, each with one reference, as if they came from Kafka."""
    one.flow_control.resume()
    generation = one.consumer_generation_id
    messages = [
        Message("t", 0, offset, 0.0, 0, {}, b"k", offset, None, generation_id=generation) for offset in range(count)
    ]
    for message in messages:
        message.incref()
    return one.channel(value_type=int), [Event(one, b"k", message.offset, {}, message) for message in messages]


@asynccontextmanager
async def running(agent):
    """Faust waits for ever for an agent that has failed once to stop, and its tasks swallow what cancels them."""
    before = asyncio.all_tasks()
    await agent.start()
    try:
        yield
    finally:
        agent._stopped.set()
        agent.supervisor._stopped.set()
        async with asyncio.timeout(30):
            while left := asyncio.all_tasks() - before:
                for task in left:
                    task.cancel()
                await asyncio.sleep(0)


def acked(events):
    return [event.message.offset for event in events if event.message.acked]


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def test_an_agent_that_raises_has_its_record_acked_and_goes_on_with_the_next():
    one, seen = app(), []
    channel, events = fed(one, 3)

    @one.agent(channel)
    async def failing(stream):
        async for value in stream:
            seen.append(value)
            if value == 0:
                raise RuntimeError("the first cannot be processed")

    async with running(failing):
        for event in events:
            await channel.put(event)
        await until(lambda: len(seen) == 3 and 0 in acked(events))
    assert seen == [0, 1, 2], f"the failed record does not come again; {UPGRADE}"


async def test_any_error_of_an_agent_triggers_a_commit():
    commits = []

    async def commit():
        commits.append(True)

    await Consumer.on_task_error(SimpleNamespace(commit=commit), RuntimeError())
    assert commits, UPGRADE


async def failing_batches(take, acks=0):
    """An agent over `take` whose first batch of three fails: `(batches, current events, offsets acked)`, once there are `acks`."""
    one, batches, current = app(), [], []
    channel, events = fed(one, 6)

    @one.agent(channel)
    async def failing(stream):
        async for batch in take(stream, 3, 1.0):
            batches.append([getattr(each, "value", each) for each in batch])
            current.append(faust.current_event())
            if len(batches) == 1:
                raise RuntimeError("the first batch cannot be processed")

    async with running(failing):
        for event in events[:3]:
            await channel.put(event)
        await until(lambda: len(batches) == 1)
        for event in events[3:]:
            await channel.put(event)
        await until(lambda: len(batches) == 2 and len(acked(events)) >= acks)
        return batches, current, acked(events)


async def test_take_acks_the_batch_that_failed():
    batches, _, offsets = await failing_batches(Stream.take, acks=3)
    assert batches == [[0, 1, 2], [3, 4, 5]], UPGRADE
    assert offsets[:3] == [0, 1, 2], UPGRADE


async def test_noack_take_hands_out_the_next_batch_after_one_that_failed_and_a_later_ack_would_commit_both():
    batches, _, offsets = await failing_batches(Stream.noack_take)
    assert batches == [[0, 1, 2], [3, 4, 5]], f"0 to 2 do not come again; {UPGRADE}"
    assert offsets == [], UPGRADE
    assert Consumer._new_offset(books(committed=None, acked=[3, 4, 5]), SOURCE) == 6, UPGRADE


async def test_inside_take_there_is_no_current_event():
    _, current, _ = await failing_batches(Stream.take)
    assert current == [None, None], UPGRADE


async def test_a_table_cannot_be_written_without_a_current_event_but_its_changelog_can():
    table = app().Table("by-hand", key_type=bytes, value_type=bytes, default=bytes, partitions=1)
    with pytest.raises(TypeError, match="outside of stream"):
        table[b"account"] = b"record"
    assert inspect.isawaitable(table.send_changelog(0, b"account", b"record")), UPGRADE


async def test_with_concurrency_a_later_record_is_acked_while_an_earlier_one_is_in_work():
    one, held, seen = app(), asyncio.Event(), []
    channel, events = fed(one, 3)

    @one.agent(channel, concurrency=2)
    async def two(stream):
        async for value in stream:
            seen.append(value)
            if value == 0:
                await held.wait()

    async with running(two):
        for event in events:
            await channel.put(event)
        await until(lambda: acked(events))
        assert 0 in seen
        assert 0 not in acked(events), UPGRADE


def test_an_update_of_an_hour_hopping_by_the_minute_is_sixty_writes():
    """So windows are tiles of one record an account: monitor/state/tiles.py."""
    table = app().Table("hops", default=int, partitions=1).hopping(3600, 60).table
    writes = []
    table._set_key = lambda key, _value: writes.append(key)
    table._set_windowed("account", 1, 1_700_000_000.0)
    assert len(writes) == 60, UPGRADE


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


async def test_a_changelog_that_cannot_be_applied_leaves_recovery_waiting_for_ever():
    """monitor/state/store.py makes it fatal."""
    one, tp, tried = app(), TP("changelog", 0), []
    one.flow_control.resume()

    class Table:
        recovery_buffer_size = 1

        async def on_changelog_event(self, event):
            pass

        def apply_changelog_batch(self, batch):
            tried.append(len(batch))
            raise ValueError("not a record of ours")

    recovery = Recovery(one, one.tables)
    recovery.active_tps.add(tp)
    recovery.tp_to_table[tp] = Table()
    recovery.active_highwaters[tp], recovery.active_offsets[tp] = 0, -1
    recovery.in_recovery = True
    reading = asyncio.create_task(Recovery._slurp_changelogs.fun(recovery))
    try:
        await one.tables.changelog_queue.put(SimpleNamespace(message=SimpleNamespace(tp=tp, offset=0)))
        await until(lambda: len(tried) >= 2)  # as it came, and again when nothing more came for 5 s
        assert not recovery.signal_recovery_end.is_set(), UPGRADE
        assert recovery.in_recovery, UPGRADE
    finally:
        recovery._stopped.set()
        reading.cancel()
        await asyncio.wait([reading], timeout=30)


async def test_under_exactly_once_the_highwater_is_unknown_before_the_first_fetch_and_recovery_is_skipped():
    """So `processing_guarantee` stays what it is, and monitor/wire/transport.py answers highwaters itself."""
    fetched_nothing = SimpleNamespace(last_stable_offset=lambda _tp: None)
    thread = SimpleNamespace(consumer=SimpleNamespace(in_transaction=True), _ensure_consumer=lambda: fetched_nothing)
    answered = await driver.AIOKafkaConsumerThread._highwaters(thread, [SOURCE])
    assert answered == {SOURCE: None}, UPGRADE

    async def highwaters(*_tps):
        return answered

    one = app()
    recovery = Recovery(one, one.tables)
    await recovery._build_highwaters(
        SimpleNamespace(highwaters=highwaters), {SOURCE}, recovery.active_highwaters, "active"
    )
    recovery.active_offsets[SOURCE] = -1  # nothing was read
    assert not recovery.need_recovery(), UPGRADE


def test_under_exactly_once_a_commit_waits_for_no_message_at_all():
    source = inspect.getsource(Consumer._commit_offsets)
    transactional = source[source.index("if self.in_transaction:") : source.index("producer.flush()")]
    assert "flush" not in transactional, UPGRADE


def test_without_exactly_once_the_producer_is_not_idempotent():
    settings = driver.Producer._settings_extra
    assert settings(SimpleNamespace(app=SimpleNamespace(in_transaction=False))) == {}, UPGRADE


def test_no_heartbeat_goes_out_while_the_assignment_callback_runs():
    """So monitor/wire/transport.py only fences and finds tails there; state is loaded from `highwaters`."""
    joining = inspect.getsource(GroupCoordinator.ensure_active_group)
    beats_again = joining.index("_start_heartbeat_task()")
    assert joining.index("_stop_heartbeat_task()") < joining.index("_do_rejoin_group(") < beats_again, UPGRADE
    assert "await self._on_join_complete(" in inspect.getsource(GroupCoordinator._do_rejoin_group), UPGRADE
    callback = inspect.getsource(GroupCoordinator._on_join_complete)
    assert callback.index("on_partitions_assigned(assigned)") < callback.index("await res"), UPGRADE


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


def test_the_assignor_moves_a_partition_too_many_when_the_workers_do_not_divide_the_partitions():
    """It cuts everybody down to the floor and deals the rest anew: 2 need not have left the second worker.

    So monitor/wire/assignor.py deals in its place.
    """
    had = {"first": {0, 1}, "second": {2, 3}, "third": set()}
    clients = {name: CopartitionedAssignment(active, set(), topics={"t"}) for name, active in had.items()}
    assigned = CopartitionedAssignor({"t"}, clients, 4, replicas=0).get_assignment()
    assert {name: each.actives for name, each in assigned.items()} == {"first": {1, 2}, "second": {3}, "third": {0}}, (
        UPGRADE
    )


def test_librdkafka_waits_the_whole_time_for_as_many_records_as_were_asked_for():
    """So monitor/wire/kafka_log.py asks with a short timeout."""
    with MockCluster() as cluster:
        cluster.create_topic("few", 1)
        producer = Producer({"bootstrap.servers": cluster.bootstrap})
        for number in range(2):
            producer.produce("few", b"%d" % number)
        producer.flush(30)
        client = Client({"bootstrap.servers": cluster.bootstrap, "group.id": "g", "enable.auto.commit": False})
        client.assign([TopicPartition("few", 0, 0)])
        assert len(client.consume(2, 30.0)) == 2
        client.seek(TopicPartition("few", 0, 0))
        began_s = time.monotonic()
        got = client.consume(3, 2.0)
        assert len(got) <= 2
        assert time.monotonic() - began_s >= 1.9, f"it came back early; {UPGRADE}"
        client.close()


def test_aiokafka_reads_lz4_zstd_and_snappy_with_cramjam_only(monkeypatch):
    """So pyproject.toml names cramjam."""
    assert aiokafka.codec.has_lz4()
    assert "cramjam" in {re.split(r"[^A-Za-z0-9_-]", each)[0] for each in metadata.requires("fraud-monitor") or []}
    monkeypatch.setattr(aiokafka.codec, "cramjam", None)
    assert (aiokafka.codec.has_lz4(), aiokafka.codec.has_zstd(), aiokafka.codec.has_snappy()) == (
        False,
        False,
        False,
    ), UPGRADE


def test_streams_run_on_the_compiled_iterator_although_cython_optimizations_are_off():
    """It acks by itself, past `Event.ack` and `Consumer.ack`: our agent reads `noack()` and acks the event."""
    assert app().conf.cython_optimizations is False
    assert streams._CStreamIterator is not None, UPGRADE
