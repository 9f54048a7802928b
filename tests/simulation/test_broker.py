"""The simulated broker keeps what Kafka keeps: isolation, markers, fencing, compaction."""

from random import Random

import pytest

from monitor.effects.message import Message
from tests.simulation.broker import Broker, Fenced, PartitionLog, Transaction
from tests.simulation.world import Killed, Process, World

OWNER = Process("owner")


@pytest.fixture
def world() -> World:
    return World(Random(1))


@pytest.fixture
def broker(world) -> Broker:
    return Broker(world)


def written(broker, name="p", values=(b"1",), topic="t"):
    """A transaction that is open, with these values."""
    epoch = broker.fence(name, OWNER)
    transaction = broker.begin(name, epoch)
    for value in values:
        broker.write(name, epoch, transaction, Message(topic, b"k", value, 0, []), 0)
    return epoch, transaction


def seen(broker, topic="t"):
    return [entry.value for entry in broker.log(topic, 0).committed()]


def test_a_committed_read_stops_at_an_open_transaction_although_others_were_committed_behind_it(broker):
    broker.log("t", 0).append(b"k", b"before")
    epoch, transaction = written(broker, values=[b"open"])
    broker.log("t", 0).append(b"k", b"behind")
    other_epoch, other = written(broker, "other", [b"other"])
    broker.commit("other", other_epoch, other, 0)
    assert seen(broker) == [b"before"]
    assert broker.log("t", 0).tail().value == b"before"
    broker.commit("p", epoch, transaction, 0)
    assert seen(broker) == [b"before", b"open", b"behind", b"other"]


def test_what_is_aborted_is_never_seen_and_takes_offsets_all_the_same(broker):
    written(broker, values=[b"1", b"2"])
    broker.fence("p", OWNER)
    broker.log("t", 0).append(b"k", b"3")
    assert [(entry.offset, entry.value) for entry in broker.log("t", 0).committed()] == [(3, b"3")]


def test_a_fenced_producer_can_neither_write_nor_commit(broker):
    epoch, transaction = written(broker)
    broker.fence("p", OWNER)
    with pytest.raises(Fenced):
        broker.write("p", epoch, transaction, Message("t", b"k", b"late", 0, []), 0)
    with pytest.raises(Fenced):
        broker.commit("p", epoch, transaction, 0)
    with pytest.raises(Fenced):
        broker.begin("p", epoch)
    assert seen(broker) == []


def test_markers_of_one_commit_are_written_one_after_the_other_and_the_id_is_busy_until_the_last(world, broker):
    epoch, transaction = written(broker)
    broker.write("p", epoch, transaction, Message("u", b"k", b"2", 0, []), 0)
    broker.commit("p", epoch, transaction, 1.0)
    halves = set()
    while broker.is_completing("p"):
        halves.add((len(seen(broker)), len(seen(broker, "u"))))
        world.pause(Process("waiting"), 0.01)
    assert (0, 0) in halves
    assert halves & {(0, 1), (1, 0)}
    assert len(seen(broker)) == len(seen(broker, "u")) == 1


def test_a_transaction_that_hangs_is_aborted_by_its_timeout_and_its_producer_fenced(broker):
    epoch, transaction = written(broker)
    broker.expire("p", transaction)
    assert seen(broker) == []
    assert broker.is_quiet()
    with pytest.raises(Fenced):
        broker.begin("p", epoch)


def test_compaction_keeps_the_last_committed_record_of_a_key_and_its_offset():
    log = PartitionLog()
    for key, value in ((b"a", b"1"), (b"b", b"1"), (b"a", b"2"), (b"b", None), (b"c", b"1")):
        log.append(key, value)
    aborted = Transaction()
    log.append(b"a", b"never", transaction=aborted)
    log.mark(aborted)
    log.compact(log.end, drop_tombstones=False)
    assert [(entry.offset, entry.value) for entry in log.entries] == [(2, b"2"), (3, None), (4, b"1")]
    log.compact(log.end, drop_tombstones=True)
    assert [entry.offset for entry in log.committed()] == [2, 4]
    assert log.append(b"a", b"3") == 7


def test_a_blocking_call_of_a_process_that_dies_meanwhile_never_returns(world):
    process = Process("p")
    world.after(0.5, None, setattr, process, "dead", True)
    with pytest.raises(Killed):
        world.pause(process, 1.0)


def test_nothing_of_a_frozen_process_happens_before_it_wakes_up_and_then_in_its_order(world):
    process, happened = Process("p"), []
    process.frozen_until = 2.0
    for time in (0.5, 1.0):
        world.at(time, process, lambda time=time: happened.append((time, world.now)))
    world.pause(Process("other"), 1.5)
    assert happened == []
    world.pause(Process("other"), 1.0)
    assert happened == [(0.5, 2.0), (1.0, 2.0)]
