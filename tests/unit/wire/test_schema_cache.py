"""What is asked for, how often, and what is kept."""

import math
import threading

import pytest

from monitor.clock import ManualClock
from monitor.errors import SchemaIncompatible, SchemaUnavailable, SchemaUnknown
from monitor.guard.reasons import Reason
from monitor.wire import schema_cache
from monitor.wire.reader import Reader, transaction_schema
from monitor.wire.schema_cache import IDS_TOLD, MOST_LOOKUPS, UNKNOWN_S, ReaderCache


class Schemas:
    """A source in memory: its answers are schemas or errors, by id; others are unknown."""

    def __init__(self, answers):
        self.answers, self.asked = answers, []

    def writer_schema(self, schema_id):
        self.asked.append(schema_id)
        answer = self.answers.get(schema_id, SchemaUnknown("no such schema"))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def id_of(self, subject, schema):
        raise NotImplementedError

    def close(self):
        pass


class Slow:
    """A source whose every answer takes `ms`."""

    def __init__(self, source, clock, ms):
        self.source, self.clock, self.ms = source, clock, ms

    def writer_schema(self, schema_id):
        self.clock.advance_ms(self.ms)
        return self.source.writer_schema(schema_id)


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def source():
    return Schemas(
        {1: transaction_schema(), 2: '"int"', 3: SchemaUnavailable("down"), 4: SchemaIncompatible("PROTOBUF")}
    )


@pytest.fixture
def cache(source, clock):
    return ReaderCache(source, clock)


def test_each_answer_becomes_a_reader_or_a_reason(cache):
    readers = cache.resolve({1, 2, 4, 9})

    assert isinstance(readers[1], Reader)
    assert {each: readers[each] for each in (2, 4, 9)} == {
        2: Reason.INCOMPATIBLE_SCHEMA, 4: Reason.INCOMPATIBLE_SCHEMA, 9: Reason.UNKNOWN_SCHEMA,
    }  # fmt: skip


def test_what_is_known_is_not_asked_again(cache, source, clock):
    assert not cache.knows({1, 4})
    cache.resolve({1, 4})
    clock.advance_ms(10**9)

    assert cache.knows({1, 4})
    cache.resolve({1, 4})
    assert source.asked == [1, 4]


def test_an_unknown_schema_is_asked_for_again_when_its_time_is_up_and_then_read(cache, source, clock):
    cache.resolve({9})
    clock.advance_ms(int(UNKNOWN_S * 1000) - 1)
    assert cache.knows({9})
    cache.resolve({9})
    assert source.asked == [9]

    source.answers[9] = transaction_schema()
    clock.advance_ms(1)
    assert not cache.knows({9})
    assert isinstance(cache.resolve({9})[9], Reader)


def test_no_answer_holds_for_one_call_only(cache, source):
    assert cache.resolve({3})[3] is Reason.SCHEMA_UNAVAILABLE
    assert not cache.knows({3})

    source.answers[3] = transaction_schema()
    assert isinstance(cache.resolve({3})[3], Reader)


def test_the_first_id_without_an_answer_ends_the_asking(cache, source):
    readers = cache.resolve({3, 5, 6})

    assert source.asked == [3]
    assert {readers[each] for each in (3, 5, 6)} == {Reason.SCHEMA_UNAVAILABLE}


def test_known_schemas_stay_readable_while_the_source_is_down(cache, source):
    cache.resolve({1})
    source.answers = dict.fromkeys(range(100), SchemaUnavailable("down"))

    assert isinstance(cache.resolve({1, 50})[1], Reader)
    assert cache.knows({1})


def test_a_run_full_of_altered_ids_costs_a_bounded_number_of_questions_and_small_ids_come_first(cache, source):
    altered = {2**30 + each for each in range(MOST_LOOKUPS * 2)}

    readers = cache.resolve(altered | {1})

    assert source.asked[0] == 1
    assert len(source.asked) == MOST_LOOKUPS
    assert isinstance(readers[1], Reader)
    assert altered <= set(readers)


def test_asking_ends_when_its_time_is_up_and_what_was_not_asked_is_asked_by_the_next_call(source, clock):
    cache = ReaderCache(Slow(source, clock, ms=400), clock)
    ids = {1, 2, 9, 10, 11}

    readers = cache.resolve(ids)

    assert source.asked == [1, 2, 9], "a second, and the question on its way then"
    assert [readers[each] for each in (9, 10, 11)] == [Reason.UNKNOWN_SCHEMA, *[Reason.SCHEMA_UNAVAILABLE] * 2]
    assert cache.resolve(ids)[11] is Reason.UNKNOWN_SCHEMA
    assert source.asked == [1, 2, 9, 10, 11]


def test_the_smallest_new_id_is_asked_for_however_long_that_takes(source, clock):
    cache = ReaderCache(Slow(source, clock, ms=5_000), clock)
    assert isinstance(cache.resolve({1, 9})[1], Reader)
    assert source.asked == [1]


def test_whoever_has_time_asks_for_all(source, clock):
    cache = ReaderCache(Slow(source, clock, ms=5_000), clock, asking_s=math.inf)
    cache.resolve({1, 2, 9})
    assert source.asked == [1, 2, 9]


def test_one_line_tells_what_a_call_found_no_schema_for_and_the_same_again_is_not_told(cache, caplog):
    altered = {2**30 + each for each in range(MOST_LOOKUPS * 2)}
    cache.resolve(altered | {1, 4})
    (told,) = caplog.records
    assert (told.count, told.not_asked) == (MOST_LOOKUPS - 1, MOST_LOOKUPS + 2)
    assert told.schema_ids[:2] == [4, 2**30]
    assert len(told.schema_ids) == IDS_TOLD
    assert (told.reason, told.error) == ("incompatible_schema", "PROTOBUF")
    caplog.clear()
    cache.resolve({3})
    cache.resolve({3, 4})
    assert [record.schema_ids for record in caplog.records] == [[3]]


def test_memory_is_bounded_and_readers_outlast_unknown_ids(cache, source, clock, monkeypatch):
    monkeypatch.setattr(schema_cache, "MOST_IDS", 10)
    cache.resolve({1})
    for each in range(100, 150):
        cache.resolve({each})

    assert len(cache.readers) == 10
    assert isinstance(cache.readers[1], Reader)
    assert cache.readers[149] is Reason.UNKNOWN_SCHEMA


def test_a_snapshot_does_not_change_under_a_run(cache):
    before = cache.resolve({1})
    cache.resolve({9})

    assert set(before) == {1}
    assert set(cache.readers) == {1, 9}


def test_negative_ids_are_no_ones_and_are_not_asked_for(cache, source):
    assert cache.knows({-1, -2})
    assert dict(cache.resolve({-1})) == {}
    assert source.asked == []


def test_threads_that_need_the_same_schema_ask_once(cache, source):
    threads = [threading.Thread(target=cache.resolve, args=({1},)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert source.asked == [1]
