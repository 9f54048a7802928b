"""What the transport is told of partitions that come and go; the partition itself is a stand-in for one that loads slowly."""

import asyncio
from types import SimpleNamespace

import pytest

from monitor.errors import BrokerError, DamagedLogError, TopicError
from monitor.host import Partitions
from monitor.observe.clock_watch import AT_LEAST, ClockWatch
from monitor.rails.watch import RailWatch
from monitor.settings import load_settings
from monitor.wire.records import Record, Records
from tests.unit.rails.conftest import Rails


class Store:
    def __init__(self):
        self.adopted = {}

    def adopt(self, partition, accounts, end):
        self.adopted[partition] = end

    def retain(self, partitions):
        self.adopted = {number: end for number, end in self.adopted.items() if number in partitions}


class Takeover:
    """Everything is taken at offset 10 of the log, with the changelog at 500; loading waits until it is let go."""

    def __init__(self, let_go):
        self.let_go = let_go

    def take(self, partition):
        position = SimpleNamespace(last_offset=9, block_hash=b"h", topic="t")
        return SimpleNamespace(position=position, changelog_end=500, writer=None)

    def load(self, partition, end, is_wanted):
        self.let_go.result(30)
        return {}


@pytest.fixture
def around():
    import concurrent.futures

    nothing = SimpleNamespace(
        record_rebalance=lambda *_: None, remove_partition=lambda *_: None, record_recovery=lambda *_: None,
        note_assigned=lambda *_: None, note_revoked=lambda *_: None, note_recovered=lambda *_: None,
    )  # fmt: skip
    let_go, ended = concurrent.futures.Future(), []
    with concurrent.futures.ThreadPoolExecutor(4) as executor:
        yield SimpleNamespace(
            takeover=Takeover(let_go), executor=executor, metrics=nothing, health=nothing, let_go=let_go, ended=ended,
            clock=SimpleNamespace(monotonic_s=lambda: 0.0), fatal=ended.append, recovery_timeout_s=20.0, reach=lambda _: None,
            max_queue_records=100, max_run_records=100, rails=RailWatch(), clock_watch=ClockWatch(),
        )  # fmt: skip
        if not let_go.done():
            let_go.set_result(None)


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def host(around, store):
    return Partitions(load_settings(environ={}), around, lambda: store)


async def test_a_partition_that_is_taken_away_has_no_say_about_the_clock(host, around):
    await host.assigned([3], 1)
    for _ in range(AT_LEAST):
        around.clock_watch.note(3, 1_000_000, 1_000, 1.0)
    assert around.clock_watch.skew_ms(1_000, 1.0) == 999_000
    await host.revoked([3])
    assert around.clock_watch.skew_ms(1_000, 1.0) == 0


async def test_a_partition_that_is_ours_and_silent_has_its_say_about_the_clock(host, around):
    await host.assigned([3, 4], 1)
    for _ in range(AT_LEAST):
        around.clock_watch.note(3, 1_000_000, 1_000, 1.0)
    assert around.clock_watch.skew_ms(1_000, 1.0) == 0


async def test_how_far_the_state_reaches_is_known_before_it_is_loaded_since_faust_asks_then(host, store):
    await host.assigned([3], 1)
    assert store.adopted == {3: 500}
    assert host.next_offset(3) == 10


async def test_a_partition_taken_away_while_it_loads_has_no_end_and_no_next_offset(host, around):
    await host.assigned([3], 1)
    loading = asyncio.create_task(host.recover(3))
    await asyncio.sleep(0)
    await host.revoked([3])
    around.let_go.set_result(None)
    assert await loading is None
    assert host.next_offset(3) is None
    assert await host.recover(3) is None
    assert around.ended == []


async def test_a_load_that_is_not_wanted_any_more_is_neither_kept_nor_shown(host, around):
    shown = []
    around.metrics.record_recovery = lambda *facts: shown.append(facts)
    await host.assigned([3], 1)
    loading = asyncio.create_task(host.recover(3))
    await asyncio.sleep(0)
    leaving = host._held[3]
    await host.revoked([3])
    around.let_go.set_result(None)
    await loading
    assert not leaving.is_settled
    assert shown == []


async def test_a_load_beyond_its_time_is_fatal_and_says_which_setting_it_passed(host, around):
    around.recovery_timeout_s = 0.01
    await host.assigned([3], 1)
    with pytest.raises(BrokerError, match="recovery_timeout_s"):
        await host.recover(3)
    assert [type(error) for error in around.ended] == [BrokerError]


async def test_whatever_goes_wrong_in_a_takeover_is_fatal(host, around):
    def broken(partition):
        raise ValueError("anything")

    around.takeover.take = broken
    with pytest.raises(ValueError, match="anything"):
        await host.assigned([3], 1)
    assert [type(error) for error in around.ended] == [ValueError]


async def test_after_other_partitions_were_assigned_the_silence_of_a_rail_says_nothing(host, around):
    on = Rails(silence_s=300)
    around.rails = on.watch
    await host.assigned([3, 4], 1)
    on.send("card", good=100)
    on.wait(200)
    await host.assigned([4], 2)
    on.wait(200)
    assert on.state("card") == "healthy"
    on.send("card", good=100)
    on.wait(1)
    on.wait(299)
    assert on.state("card") == "dark"


async def test_a_partition_that_does_not_come_back_is_forgotten(host, around, store):
    around.let_go.set_result(None)
    await host.assigned([3, 4], 1)
    await host.recover(3)
    await host.revoked([3, 4])
    await host.assigned([4], 2)
    assert set(store.adopted) == {4}
    assert host.numbers == [4]
    await host.stop()


class Event:
    """A chunk of one record of a partition, fetched in generation 1."""

    def __init__(self, partition, size=1):
        self.message = SimpleNamespace(partition=partition, generation_id=1)
        self.value = SimpleNamespace(records=Records.of([Record(at, None, None) for at in range(size)]))


async def test_a_partition_with_too_much_waiting_has_no_room_and_the_other_has(host, around):
    around.metrics.set_partition = lambda *_, **__: None
    await host.assigned([3, 4], 1)
    host.put(Event(3, around.max_queue_records))
    assert (host.has_room(3), host.has_room(4), host.has_room(99)) == (False, True, True)
    await asyncio.wait_for(host.wait_for_room(30), 30)  # the other has


async def test_a_chunk_of_another_generation_is_dropped(host, around):
    await host.assigned([3], 2)
    host.put(Event(3, around.max_queue_records))
    assert host.has_room(3)


async def deciding(host, around):
    around.let_go.set_result(None)
    await host.assigned([3], 1)
    await host.recover(3)


@pytest.mark.parametrize("place", ["check_topic", "check_source"])
@pytest.mark.parametrize(("error", "fatal"), [(TopicError("re-created"), True), (BrokerError("no answer"), False)])
async def test_a_source_topic_made_anew_is_fatal_when_seen_twice_and_a_broker_without_answer_is_not(
    host, around, error, fatal, place
):
    def fail(*_):
        raise error

    await deciding(host, around)
    around.takeover.check_topic = lambda before: "id"
    around.takeover.check_source = lambda position, topic_id: None
    setattr(around.takeover, place, fail)
    await host.check_source()
    assert around.ended == [], "once may be a broker that has just come up"
    await host.check_source()
    assert around.ended == ([error] if fatal else [])
    await host.stop()


async def test_the_source_is_checked_by_the_position_that_was_decided_and_the_id_that_was_seen(host, around):
    asked = []
    await deciding(host, around)
    around.takeover.check_topic = lambda before: asked.append(before) or "id"
    around.takeover.check_source = lambda position, topic_id: asked.append((position.last_offset, topic_id))
    await host.check_source()
    await host.check_source()
    assert asked == [None, (9, "id"), "id", (9, "id")]
    await host.stop()


async def test_a_consumer_that_cannot_go_on_ends_the_process(host, around):
    error = DamagedLogError("transactions[3]: the batch at offset 7 is damaged")
    assert host.failed(error) is error
    assert around.ended == [error]
