"""Chunks wait in order, are taken as one run, and say when there is room for more."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.chunk_queue import ChunkQueue
from monitor.wire.records import Record, Records
from monitor.wire.transport import Chunk


def event(records, size=0):
    """A chunk of so many records, the first of which has so many bytes."""
    sizes = [size] + [0] * (records - 1)
    made = Records.of([Record(at, None, b"x" * each) for at, each in enumerate(sizes)])
    return SimpleNamespace(value=Chunk(made, None))


@given(st.lists(st.integers(1, 9), max_size=12), st.integers(1, 20))
def test_runs_hold_whole_chunks_in_order_within_the_limit_but_for_one_that_is_larger_alone(sizes, limit):
    queue, events = ChunkQueue(10_000, 10_000), [event(size) for size in sizes]
    for each in events:
        queue.put(each)
    runs = []
    while queue:
        runs.append(queue.take(limit))
    assert [each for run in runs for each in run] == events
    for run in runs:
        assert len(run) == 1 or sum(len(each.value.records) for each in run) <= limit
    assert queue.records == 0
    assert queue.room.is_set()


@pytest.mark.parametrize(("records", "size", "room"), [(4, 0, True), (5, 0, False), (1, 99, True), (1, 100, False)])
def test_room_ends_with_as_many_records_or_bytes_as_may_wait(records, size, room):
    queue = ChunkQueue(max_records=5, max_bytes=100)
    queue.put(event(records, size))
    assert queue.room.is_set() is room
    queue.clear()
    assert queue.room.is_set()


def test_a_chunk_that_waits_is_announced():
    queue = ChunkQueue(5, 5)
    assert not queue.filled.is_set()
    queue.put(event(1))
    assert queue.filled.is_set()
    assert len(queue) == 1
