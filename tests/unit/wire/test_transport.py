"""Our transport's book-keeping, on Faust's own consumer class; only the thread that talks to Kafka is an actor's."""

import asyncio

import faust
import pytest
from aiokafka import ConsumerRecord
from aiokafka.errors import CorruptRecordException, IllegalStateError
from faust.types import TP
from mode import Service

from monitor.errors import DamagedLogError
from monitor.wire import transport
from monitor.wire.records import Records

SOURCE = TP("transactions", 0)
OTHER = TP("transactions", 1)
CHANGELOG = TP("app-account-state-changelog", 0)


class Thread(Service):
    """Stands where the thread with the aiokafka consumer stands."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[tuple[object, ...]] = []
        self.batches: list[dict[TP, list[ConsumerRecord]]] = []
        self.committed: dict[TP, int] = {}
        self.during_fetch = None

    async def getmany(self, active_partitions, timeout):
        self.log.append(("getmany", active_partitions, timeout))
        batch = self.batches.pop(0)
        if self.during_fetch is not None:
            await self.during_fetch()
        if isinstance(batch, Exception):
            raise batch
        return {tp: [Records.of(each)] if each and tp.topic == SOURCE.topic else each for tp, each in batch.items()}

    def seek(self, partition, offset):
        self.log.append(("seek", partition, offset))

    async def seek_to_committed(self):
        self.log.append(("seek to committed",))
        return self.committed

    async def highwaters(self, *partitions):
        self.log.append(("highwaters", set(partitions)))
        return dict.fromkeys(partitions, 77)


class Host:
    """An application that holds one partition and says what it is asked."""

    source_topic, changelog_topic = SOURCE.topic, CHANGELOG.topic

    def __init__(self) -> None:
        self.log: list[tuple[object, ...]] = []
        self.next = 5
        self.last_in_changelog = -1
        self.full: set[int] = set()

    async def assigned(self, partitions, generation):
        self.log.append(("host assigned", partitions, generation))

    async def revoked(self, partitions):
        self.log.append(("host revoked", partitions))

    async def recover(self, partition):
        self.log.append(("recover", partition))
        return self.last_in_changelog

    def next_offset(self, partition):
        return self.next

    def fetched(self):
        self.log.append(("fetched",))

    def has_room(self, partition):
        return partition not in self.full

    async def wait_for_room(self, timeout_s):
        self.log.append(("wait for room", timeout_s))

    def failed(self, error):
        self.log.append(("failed", type(error)))
        return error


class Consumer(transport.Consumer):
    def _new_consumer_thread(self):
        return Thread()


@pytest.fixture
async def consumer():
    app = faust.App("app", broker="runs://127.0.0.1:1", store="accounts://", autodiscover=False, web_enabled=False)
    app.host = Host()

    async def in_faust(what, *facts):
        app.host.log.append((what, *facts))

    return Consumer(
        app.transport,
        callback=lambda message: None,
        on_partitions_revoked=lambda revoked: in_faust("faust revoked"),
        on_partitions_assigned=lambda assigned, generation: in_faust("faust assigned"),
    )


def records(*offsets: int) -> list[ConsumerRecord]:
    return [
        ConsumerRecord(
            topic=SOURCE.topic, partition=0, offset=offset, timestamp=offset * 10, timestamp_type=0, key=b"key", value=b"value",
            checksum=None, serialized_key_size=3, serialized_value_size=5, headers=(),
        )
        for offset in offsets
    ]  # fmt: skip


async def fetch(consumer, batch):
    consumer._thread.batches.append(batch)
    return await consumer._getmany(None, 1.0)


def test_the_transport_is_found_by_its_scheme():
    app = faust.App("app", broker="runs://127.0.0.1:1", autodiscover=False)
    assert type(app.transport) is transport.Transport
    assert app.transport.Consumer is transport.Consumer


async def test_a_fetch_becomes_one_record_that_holds_all_of_a_partition(consumer):
    found = await fetch(consumer, {SOURCE: records(3, 4, 8), OTHER: records(1)})
    (chunk,) = found[SOURCE]
    assert chunk.value.records.offsets.tolist() == [3, 4, 8]
    assert (chunk.topic, chunk.partition, chunk.offset, chunk.timestamp, chunk.key) == (*SOURCE, 8, 80, None)
    assert [each.offset for each in found[OTHER]] == [1]
    assert consumer._host.log == [("fetched",)]


async def test_records_of_other_topics_are_left_as_they_are(consumer):
    found = await fetch(consumer, {CHANGELOG: records(1, 2), SOURCE: []})
    assert found == {CHANGELOG: records(1, 2), SOURCE: []}


async def test_a_fetch_without_records_is_a_sign_of_life_too(consumer):
    await fetch(consumer, {})
    assert consumer._host.log == [("fetched",)]


async def test_a_chunk_says_what_was_fetched_before_it(consumer):
    follows = []
    await consumer._seek(SOURCE, 3)
    for offsets in ((3, 4), (5,), (9, 10)):
        (chunk,) = (await fetch(consumer, {SOURCE: records(*offsets)}))[SOURCE]
        follows.append(chunk.value.follows)
    assert follows == [2, 4, 5]


async def test_what_a_chunk_follows_is_unknown_before_the_first_seek(consumer):
    (chunk,) = (await fetch(consumer, {SOURCE: records(500)}))[SOURCE]
    assert chunk.value.follows is None


async def test_what_a_chunk_follows_is_unknown_where_a_seek_came_into_its_fetch(consumer):
    await consumer._seek(SOURCE, 0)

    async def seek():
        await consumer._seek(SOURCE, 100)

    consumer._thread.during_fetch = seek
    (chunk,) = (await fetch(consumer, {SOURCE: records(7, 8)}))[SOURCE]
    assert chunk.value.follows is None


async def test_another_generation_knows_nothing_of_where_reading_stood(consumer):
    await consumer._seek(SOURCE, 3)
    await fetch(consumer, {SOURCE: records(3)})
    await consumer.on_partitions_assigned({SOURCE}, 2)
    (chunk,) = (await fetch(consumer, {SOURCE: records(4)}))[SOURCE]
    assert chunk.value.follows is None


async def test_the_host_fences_before_faust_sees_the_assignment(consumer):
    await consumer.on_partitions_assigned({OTHER, CHANGELOG, SOURCE}, 7)
    assert consumer._host.log == [("host assigned", [0, 1], 7), ("faust assigned",)]


async def test_runs_in_flight_end_before_faust_sees_the_revocation(consumer):
    await consumer.on_partitions_revoked({SOURCE, CHANGELOG})
    assert consumer._host.log == [("host revoked", [0]), ("faust revoked",)]


@pytest.mark.parametrize("last", [-1, 0, 41])
async def test_the_highwater_of_a_changelog_is_after_what_the_host_has_loaded(consumer, last):
    consumer._host.last_in_changelog = last
    assert await consumer.highwaters(CHANGELOG, SOURCE) == {CHANGELOG: last + 1, SOURCE: 77}
    assert consumer._thread.log == [("highwaters", {SOURCE})]


async def test_reading_begins_at_the_first_undecided_offset_whatever_the_group_committed(consumer):
    consumer._thread.committed = {SOURCE: 500, CHANGELOG: 3}
    assert await consumer.seek_to_committed() == {SOURCE: 5, CHANGELOG: 3}
    assert consumer._thread.log == [("seek to committed",), ("seek", SOURCE, 5)]
    (chunk,) = (await fetch(consumer, {SOURCE: records(7)}))[SOURCE]
    assert chunk.value.follows == 4


@pytest.mark.parametrize(("committed", "acked"), [(None, [99]), (37, [39]), (37, [399, 499, 599]), (0, [5])])
async def test_the_offset_to_commit_is_after_the_last_acked_chunk(consumer, committed, acked):
    consumer._committed_offset[SOURCE] = committed
    consumer._acked[SOURCE].extend(acked)
    consumer._acked_index[SOURCE].update(acked)
    assert consumer._new_offset(SOURCE) == acked[-1] + 1
    assert consumer._new_offset(SOURCE) == acked[-1] + 1, "what was not committed is asked for again"
    assert not consumer._acked_index[SOURCE]


@pytest.mark.parametrize(("committed", "due"), [(None, True), (0, True), (3, True), (5, False)])
async def test_a_quiet_partition_commits_what_its_owner_before_decided(consumer, committed, due):
    assert consumer._new_offset(SOURCE) is None
    consumer._thread.committed = {SOURCE: committed}
    await consumer.perform_seek()
    assert consumer._new_offset(SOURCE) == 5
    assert consumer._should_commit(SOURCE, 5) is due
    assert SOURCE in consumer._acked, "Faust asks only for partitions that stand there"
    await consumer.on_partitions_assigned({SOURCE}, 2)
    assert consumer._new_offset(SOURCE) is None


async def test_offsets_of_other_topics_are_committed_as_faust_does(consumer):
    consumer._committed_offset[CHANGELOG] = 10
    consumer._acked[CHANGELOG].extend([15, 16])
    assert consumer._new_offset(CHANGELOG) is None


async def test_gaps_between_chunks_are_not_kept_in_faust_s_books(consumer):
    await consumer._add_gap(SOURCE, 1, 1_000_000)
    assert not consumer._gap[SOURCE]
    await consumer._add_gap(CHANGELOG, 1, 3)
    assert consumer._gap[CHANGELOG]


async def test_the_consumer_reads_committed_records_only_and_the_switch_goes_back(consumer):
    thread = transport.ConsumerThread(consumer)
    kafka = thread._create_worker_consumer(consumer.transport)
    assert kafka._isolation_level == "read_committed"
    assert kafka._fetch_max_wait_ms == transport.FETCH_MAX_WAIT_MS
    assert consumer.in_transaction is False


async def test_a_partition_taken_away_in_a_recovery_is_what_faust_calls_another_rebalance(consumer):
    """Faust's recovery starts over at IllegalStateError; a made-up highwater would fail its own consistency check."""
    consumer._host.last_in_changelog = None
    with pytest.raises(IllegalStateError, match="taken away"):
        await consumer.highwaters(CHANGELOG)
    consumer._host.next, consumer._thread.committed = None, {SOURCE: 500}
    with pytest.raises(IllegalStateError, match="taken away"):
        await consumer.seek_to_committed()


async def test_a_partition_without_room_is_left_out_of_a_fetch_that_is_kept_short(consumer):
    consumer._host.full = {1}
    consumer._thread.batches.append({SOURCE: records(7)})
    await consumer._getmany({SOURCE, OTHER, CHANGELOG}, 1.0)
    assert consumer._thread.log == [("getmany", {SOURCE, CHANGELOG}, transport.CROWDED_FETCH_S)]


async def test_where_no_partition_has_room_nothing_is_fetched_and_room_is_waited_for(consumer):
    consumer._host.full = {0, 1}
    assert await consumer._getmany({SOURCE, OTHER}, 1.0) == {}
    assert consumer._thread.log == []
    assert consumer._host.log == [("wait for room", 1.0), ("fetched",)], "and it is a sign of life"


@pytest.mark.parametrize("error", [DamagedLogError("transactions[0]: damaged"), CorruptRecordException("Invalid CRC")])
async def test_a_log_that_cannot_be_read_ends_the_process(consumer, error):
    consumer._thread.batches.append(error)
    with pytest.raises(DamagedLogError, match=str(error).replace("[", r"\[")):
        await consumer._getmany({SOURCE}, 1.0)
    assert consumer._host.log[-1] == ("failed", DamagedLogError)


async def test_the_last_commit_comes_behind_one_that_is_under_way(consumer, monkeypatch):
    """Faust waits for the one under way and commits nothing: what was acked since it began stayed behind, and lag tools saw it."""
    committed = []

    async def force_commit(topics=None, start_new_transaction=True):
        committed.append(start_new_transaction)
        return True

    monkeypatch.setattr(consumer, "force_commit", force_commit)
    under_way = consumer._commit_fut = asyncio.get_running_loop().create_future()
    last = asyncio.create_task(consumer.commit_and_end_transactions())
    await asyncio.sleep(0)
    assert committed == []
    consumer._commit_fut = None
    under_way.set_result(None)
    await last
    assert committed == [False]
