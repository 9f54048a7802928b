"""The life of a partition, with a log and a writer in memory: what is committed, what is acked, and what ends the process."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from monitor import pipeline
from monitor.clock import ManualClock
from monitor.deciding import DecidingContext
from monitor.effects.audit import genesis_block
from monitor.effects.block import read_block
from monitor.errors import CommitError, FencedError, GapError, OnlyRejectsError
from monitor.observe.clock_watch import AT_LEAST
from monitor.observe.health import Health
from monitor.observe.metrics import Metrics
from monitor.partition import Partition, Surroundings
from monitor.rails.limits import RAILS, RailLimits
from monitor.rails.reject_streak import STARTING_S
from monitor.rails.watch import RailWatch
from monitor.rules.rule_file import read_rules
from monitor.rules.ruleset import Engine
from monitor.settings import load_settings
from monitor.shedding import Shedding
from monitor.simulate.messages import transaction_messages
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate
from monitor.state.accounts import Accounts
from monitor.state.dispositions import Disposition, Lacking
from monitor.takeover import Taken
from monitor.wire.records import Record, Records
from monitor.wire.transport import Chunk

SPEC = SimulationSpec(seed=4, transactions=120, accounts=10, scenarios=())
NUMBER = 2
EVERYTHING = """
version = "1"
[[rule]]
id = "all"
version = 1
description = "Whatever it is"
when = "amount >= money(0)"
band = [{reason_code = "all", action = "review", text = "x"}]
"""
PATIENCE_S = 120.0


@dataclass
class Writer:
    """Commits into a list. `hold` lets commits begin and not end; `error` is what a commit raises."""

    happened: list[tuple[str, int]]
    blocks: list = field(default_factory=list)
    messages: list = field(default_factory=list)
    begun: int = 0
    error: BaseException | None = None
    may_end: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.may_end.set()

    def hold(self) -> None:
        self.may_end.clear()

    def commit(self, messages) -> None:
        self.begun += 1
        assert self.may_end.wait(PATIENCE_S), "the test never let the commit end"
        if self.error is not None:
            raise self.error
        self.messages += messages
        self.blocks.append(read_block(messages[-1].value))
        self.happened.append(("committed", self.blocks[-1].last_offset))


@dataclass
class Log:
    """A partition of transactions, as a takeover and a fresh read see it: it holds `offsets`, from `begin` on."""

    offsets: list[int]
    writer: Writer
    begin: int = 0
    position: object = None
    reads: int = 0
    loads: int = 0
    tried: int = 1
    tried_at: list = field(default_factory=list)
    is_ours: bool = True

    def is_last(self, position: object) -> bool:
        return self.is_ours

    def take(self, partition: int) -> Taken:
        if self.position is None:
            _, self.position = genesis_block(
                app_id="app", topic="transactions", topic_id="id", partition=partition, start=0, alerts_from_offset=0,
                versions={}, schema_id=1,
            )  # fmt: skip
        return Taken(self.position, -1, self.writer)

    def attempts(self, partition: int, next_offset: int) -> int:
        self.tried_at.append(next_offset)
        return self.tried

    def load(self, partition: int, changelog_end: int, is_wanted) -> Accounts:
        self.loads += 1
        return Accounts()

    def begins_at(self, partition: int) -> int:
        return self.begin

    def first_from(self, partition: int, offset: int) -> int | None:
        self.reads += 1
        return min((each for each in self.offsets if each >= offset), default=None)


@dataclass
class Event:
    """A chunk as Faust hands it over."""

    value: Chunk
    happened: list[tuple[str, int]]

    def ack(self) -> bool:
        self.happened.append(("acked", self.value.records.last_offset))
        return True


class Bench:
    """A partition on a log in memory."""

    def __init__(self, context, transactions, executor, attempts: int = 1, **limits: int) -> None:
        self.transactions, self.context, self.happened, self.fatal = transactions, context, [], []
        self.writer = Writer(self.happened)
        self.log = Log(list(range(len(transactions))), self.writer, tried=attempts)
        self.registry, clock = CollectorRegistry(), ManualClock(SPEC.end_ms)

        async def decide_with(records):
            return self.context

        self.around = Surroundings(
            takeover=self.log,
            context=decide_with,
            executor=executor,
            clock=clock,
            metrics=Metrics(self.registry),
            health=Health(clock),
            fatal=self.fatal.append,
            rails=RailWatch(RailLimits(reject_stop_records=20)),
            **{"max_run_records": 1_000, "max_queue_records": 1_000, **limits},
        )
        self.partition = Partition(NUMBER, self.around)

    async def start(self) -> Partition:
        await self.partition.take(None)
        await self.partition.recover()
        self.partition.start()
        return self.partition

    def event(self, *offsets: int, follows: int | None = None) -> Event:
        """The transactions of these offsets, as one chunk."""
        records = [replace(self.transactions[at % len(self.transactions)], offset=at) for at in offsets]
        return Event(Chunk(Records.of(records), offsets[0] - 1 if follows is None else follows), self.happened)

    def count(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0

    @property
    def acked(self) -> list[int]:
        return [offset for what, offset in self.happened if what == "acked"]

    @property
    def decided(self) -> list[int]:
        """The offsets of all committed runs."""
        return [offset for run in self.runs for offset in run]

    @property
    def runs(self) -> list[list[int]]:
        """The offsets of each committed run."""
        return [block.decisions["offset"].tolist() for block in self.writer.blocks]


async def until(condition) -> None:
    """Let the loop turn until it holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it never came about"
        await asyncio.sleep(0.001)


@pytest.fixture(scope="module")
def transactions():
    made = []
    for batch in generate(SPEC):
        messages = transaction_messages(batch, 1)
        made += zip(messages.keys, messages.values, strict=True)
    return [Record(offset, key, value, timestamp=offset) for offset, (key, value) in enumerate(made)]


@pytest.fixture(scope="module")
def context(transactions):
    deciding = DecidingContext(load_settings(environ={}), ManualClock(SPEC.end_ms))
    return replace(deciding.for_records(Records.of(transactions)), model=None)


@pytest.fixture
async def bench(context, transactions):
    """`await bench(max_run_records=...)`: a partition that decides; it is stopped after the test."""
    made = []
    with ThreadPoolExecutor(max_workers=2) as executor:

        async def make(**limits: int) -> Bench:
            one = Bench(context, transactions, executor, **limits)
            made.append(one)
            await one.start()
            return one

        yield make
        for one in made:
            one.writer.may_end.set()
            await one.partition.stop()


async def test_a_chunk_is_acked_after_its_commit_and_never_before(bench):
    on = await bench()
    for at in range(0, 60, 20):
        on.partition.put(on.event(*range(at, at + 20)))
    await until(lambda: on.acked == [19, 39, 59])
    for offset in on.acked:
        committed = [at for at, (what, last) in enumerate(on.happened) if what == "committed" and last >= offset]
        assert committed[0] < on.happened.index(("acked", offset))
    assert on.partition.next_offset == 60
    assert on.fatal == []


async def test_nothing_is_acked_while_the_commit_is_in_flight(bench):
    on = await bench()
    on.writer.hold()
    on.partition.put(on.event(0, 1, 2))
    await until(lambda: on.writer.begun == 1)
    assert on.acked == []
    assert on.partition.next_offset == 0
    assert not on.partition.is_settled
    on.writer.may_end.set()
    await until(lambda: on.acked == [2])


@pytest.mark.parametrize("error", [CommitError("timed out"), RuntimeError("a fault of our own")])
async def test_a_commit_that_fails_is_fatal_and_nothing_is_acked_then_or_later(bench, error):
    on = await bench()
    on.writer.error = error
    on.partition.put(on.event(0, 1))
    await until(lambda: on.fatal)
    on.partition.put(on.event(2, 3))
    await on.partition.stop()
    assert on.fatal == [error]
    assert on.acked == []
    assert on.writer.begun == 1
    assert not on.partition.is_settled, "the accounts hold a run that is not committed"


async def test_state_of_a_failed_run_is_not_kept_for_the_next_generation(bench):
    on = await bench()
    on.writer.error = CommitError("unknown")
    on.partition.put(on.event(0, 1))
    await until(lambda: on.fatal)
    after = Partition(NUMBER, on.around)
    await after.take(on.partition)
    assert after.accounts is not on.partition.accounts
    await after.recover()
    assert on.log.loads == 2


async def test_what_came_while_a_run_was_decided_becomes_one_run(bench):
    on = await bench()
    on.writer.hold()
    on.partition.put(on.event(0))
    await until(lambda: on.writer.begun == 1)
    for offset in range(1, 6):
        on.partition.put(on.event(offset))
    on.writer.may_end.set()
    await until(lambda: len(on.acked) == 6)
    assert on.runs == [[0], [1, 2, 3, 4, 5]]
    assert on.acked == [0, 1, 2, 3, 4, 5]


async def test_a_run_holds_no_more_than_it_may_and_a_larger_chunk_is_cut(bench):
    on = await bench(max_run_records=5)
    on.writer.hold()
    on.partition.put(on.event(0))
    await until(lambda: on.writer.begun == 1)
    for first, size in ((1, 2), (3, 3), (6, 1), (7, 9), (16, 1)):
        on.partition.put(on.event(*range(first, first + size)))
    on.writer.may_end.set()
    await until(lambda: len(on.acked) == 6)
    assert [len(run) for run in on.runs] == [1, 5, 1, 5, 4, 1]
    assert on.decided == list(range(17))


async def test_a_run_holds_no_more_bytes_than_it_may_but_at_least_one_record(bench, monkeypatch):
    on = await bench()
    sizes = [len(record.value) + len(record.key) for record in on.transactions]
    monkeypatch.setattr("monitor.cutting.MAX_RUN_BYTES", sum(sizes[:3]))
    on.partition.put(on.event(0, 1, 2, 3, 4))
    await until(lambda: on.acked == [4])
    assert on.runs[0] == [0, 1, 2]
    assert on.decided == [0, 1, 2, 3, 4]
    monkeypatch.setattr("monitor.cutting.MAX_RUN_BYTES", 1)
    on.partition.put(on.event(5, 6))
    await until(lambda: on.acked == [4, 6])
    assert on.runs[-2:] == [[5], [6]]
    assert [what for what, _ in on.happened][-3:] == ["committed", "committed", "acked"]


async def test_headers_count_among_the_bytes_of_a_run(bench, monkeypatch):
    on = await bench()
    monkeypatch.setattr("monitor.cutting.MAX_RUN_BYTES", 10_000)
    event = on.event(0, 1, 2)
    large = [replace(record, headers=[("nothing", None), ("x", b"x" * 9_000)]) for record in event.value.records]
    on.partition.put(replace(event, value=Chunk(Records.of(large), -1)))
    await until(lambda: on.acked == [2])
    assert on.runs == [[0], [1], [2]]


async def test_stopping_between_the_runs_of_one_chunk_acks_none_of_it(bench, monkeypatch):
    on = await bench()
    monkeypatch.setattr("monitor.cutting.MAX_RUN_BYTES", 1)
    on.writer.hold()
    on.partition.put(on.event(0, 1, 2))
    await until(lambda: on.writer.begun == 1)
    stopping = asyncio.create_task(on.partition.stop())
    await asyncio.sleep(0)
    on.writer.may_end.set()
    await stopping
    assert on.decided == [0]
    assert on.acked == []
    assert on.partition.next_offset == 1
    assert on.partition.is_settled


async def test_records_that_are_audited_already_are_dropped_counted_and_acked(bench):
    on = await bench()
    on.partition.put(on.event(0, 1, 2, 3))
    await until(lambda: on.acked == [3])
    on.partition.put(on.event(0, 1))
    on.partition.put(on.event(2, 3, 4, 5))
    await until(lambda: on.acked == [3, 1, 5])
    assert on.runs == [[0, 1, 2, 3], [4, 5]]
    assert on.count("monitor_transactions_replayed_total") == 4


async def test_a_chunk_that_comes_twice_into_one_run_is_decided_once(bench):
    on = await bench()
    on.writer.hold()
    on.partition.put(on.event(0))
    await until(lambda: on.writer.begun == 1)
    for _ in range(2):
        on.partition.put(on.event(1, 2, 3))
    on.writer.may_end.set()
    await until(lambda: on.acked == [0, 3, 3])
    assert on.runs == [[0], [1, 2, 3]]
    assert on.fatal == []


async def test_a_gap_is_honest_where_the_fetch_went_on_and_the_log_still_holds_the_place(bench):
    on = await bench()
    on.partition.put(on.event(0, 1))
    on.partition.put(on.event(4, 5, follows=1))
    await until(lambda: on.acked == [1, 5])
    assert on.log.reads == 0, "nothing had to be read again"
    assert on.count("monitor_gap_checks_total", result="honest") == 1


async def test_a_gap_is_honest_where_a_fresh_read_starts_at_the_same_record(bench):
    on = await bench()
    on.log.offsets = [0, 1, 4, 5]
    on.partition.put(on.event(0, 1))
    on.partition.put(on.event(4, 5, follows=3))
    await until(lambda: on.acked == [1, 5])
    assert on.log.reads == 1


async def test_a_gap_that_a_fresh_read_does_not_have_is_a_loss_and_fatal(bench):
    on = await bench()
    on.partition.put(on.event(0, 1))
    await until(lambda: on.acked == [1])
    on.partition.put(on.event(4, 5, follows=3))
    await until(lambda: on.fatal)
    assert isinstance(on.fatal[0], GapError)
    assert "offset 4, expected 2" in str(on.fatal[0])
    assert on.acked == [1]
    assert on.runs == [[0, 1]]
    assert on.count("monitor_gap_checks_total", result="loss") == 1


async def test_a_gap_before_the_beginning_of_the_log_is_a_loss_however_the_fetch_went_on(bench):
    on = await bench()
    on.log.begin, on.log.offsets = 4, [4, 5]
    on.partition.put(on.event(0, 1))
    on.partition.put(on.event(4, 5, follows=1))
    await until(lambda: on.fatal)
    assert isinstance(on.fatal[0], GapError)
    assert "the log begins at 4" in str(on.fatal[0])


async def test_what_retention_took_from_a_worker_that_lost_its_partition_is_no_loss(bench):
    """A worker that hung sees records gone that the new owner decided long ago: it leaves like one that is fenced, and nobody is paged."""
    on = await bench()
    on.log.begin, on.log.offsets = 4, [4, 5]
    on.partition.put(on.event(0, 1))
    await until(lambda: on.acked == [1])
    on.log.is_ours = False
    on.partition.put(on.event(4, 5, follows=1))
    await until(lambda: on.fatal)
    assert isinstance(on.fatal[0], FencedError)
    assert on.runs == [[0, 1]]
    assert on.count("monitor_gap_checks_total", result="loss") == 0


async def test_a_hole_between_two_chunks_of_one_run_is_a_loss(bench):
    on = await bench()
    on.writer.hold()
    on.partition.put(on.event(0))
    await until(lambda: on.writer.begun == 1)
    on.partition.put(on.event(1, 2))
    on.partition.put(on.event(6, 7, follows=5))  # 3 to 5 were fetched, and got lost on the way
    on.writer.may_end.set()
    await until(lambda: on.fatal)
    assert isinstance(on.fatal[0], GapError)
    assert "offset 6, expected 3" in str(on.fatal[0])
    assert on.runs == [[0]]
    assert on.acked == [0]


async def test_a_first_chunk_of_which_nobody_knows_what_it_follows_is_looked_up(bench):
    on = await bench()
    event = on.event(5, 6)
    event.value = Chunk(event.value.records, None)
    on.partition.put(event)
    await until(lambda: on.fatal)
    assert on.log.reads == 1
    assert isinstance(on.fatal[0], GapError)


async def test_stopping_lets_the_run_in_flight_commit_and_drops_what_waits(bench):
    on = await bench()
    on.writer.hold()
    on.partition.put(on.event(0, 1))
    await until(lambda: on.writer.begun == 1)
    on.partition.put(on.event(2, 3))
    stopping = asyncio.create_task(on.partition.stop())
    await asyncio.sleep(0)
    assert not stopping.done()
    on.writer.may_end.set()
    await stopping
    assert on.runs == [[0, 1]]
    assert on.acked == [1]
    assert on.partition.is_settled
    assert on.fatal == []


async def test_what_is_put_after_the_stop_is_dropped(bench):
    on = await bench()
    await on.partition.stop()
    on.partition.put(on.event(0, 1))
    await asyncio.sleep(0)
    assert on.writer.begun == 0
    assert on.acked == []


async def test_there_is_no_room_while_as_many_records_wait_as_may(bench):
    on = await bench(max_queue_records=4)
    on.writer.hold()
    on.partition.put(on.event(0))
    await until(lambda: on.writer.begun == 1)
    on.partition.put(on.event(1, 2, 3))
    assert on.partition.room.is_set()
    on.partition.put(on.event(4))
    assert not on.partition.room.is_set()
    on.writer.may_end.set()
    await asyncio.wait_for(on.partition.room.wait(), PATIENCE_S)
    await until(lambda: on.acked == [0, 3, 4])


async def test_there_is_no_room_while_as_many_bytes_wait_as_a_run_may_hold(bench, monkeypatch):
    monkeypatch.setattr("monitor.partition.MAX_RUN_BYTES", 400)
    on = await bench(max_queue_records=1_000)
    on.writer.hold()
    on.partition.put(on.event(0))
    await until(lambda: on.writer.begun == 1)
    assert on.partition.room.is_set()
    on.partition.put(on.event(1, 2, 3, 4))
    assert not on.partition.room.is_set()
    on.writer.may_end.set()
    await asyncio.wait_for(on.partition.room.wait(), PATIENCE_S)


async def test_after_many_attempts_at_one_position_records_are_decided_one_by_one_and_named(bench, caplog):
    on = await bench(attempts=4, max_run_records=3)
    on.partition.put(on.event(0, 1, 2, 3, 4, 5))
    await until(lambda: on.acked == [5])
    assert on.runs == [[0], [1], [2], [3], [4, 5]]
    assert "monitor quarantine --partition 2 --offset 0" in caplog.text


async def test_an_attempt_is_counted_once_a_takeover_and_not_before_there_is_something_to_decide(bench):
    on = await bench()
    assert on.log.tried_at == []
    on.partition.put(on.event(0, 1))
    await until(lambda: on.acked == [1])
    on.partition.put(on.event(2))
    await until(lambda: on.acked == [1, 2])
    assert on.log.tried_at == [0]


async def test_three_attempts_at_one_position_are_no_reason_for_caution(bench):
    on = await bench(attempts=3, max_run_records=3)
    on.partition.put(on.event(0, 1, 2))
    await until(lambda: on.acked == [2])
    assert on.runs == [[0, 1, 2]]


async def test_a_run_that_cannot_be_decided_is_named_with_the_command_that_helps(bench, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError

    on = await bench()
    monkeypatch.setattr(pipeline, "decide_run", fail)
    on.partition.put(on.event(7, 8, follows=-1))
    await until(lambda: on.fatal)
    assert "offsets 7 to 8" in on.fatal[0].__notes__[0]
    assert "monitor quarantine --partition 2 --offset 7" in on.fatal[0].__notes__[0]


async def test_a_clock_that_is_behind_rejects_payments_until_so_many_runs_have_told_of_it(bench):
    on = await bench()
    on.transactions = [replace(on.transactions[-1], timestamp=SPEC.end_ms)]
    on.around.clock.advance_ms(-43_200_000)
    for offset in range(AT_LEAST + 1):
        on.partition.put(on.event(offset))
        await until(lambda last=offset: on.acked[-1:] == [last])
    dispositions = [int(block.decisions["disposition"][0]) for block in on.writer.blocks]
    assert dispositions == [Disposition.REJECTED] * (AT_LEAST - 1) + [Disposition.SCORED, Disposition.DUPLICATE]
    assert on.count("monitor_dead_letters_total", reason="event_time_in_future") == AT_LEAST - 1
    assert on.count("monitor_last_commit_timestamp_seconds", partition=str(NUMBER)) >= SPEC.end_ms / 1000


async def test_a_run_most_of_which_waited_too_long_goes_without_explanations(bench):
    on = await bench(shedding=Shedding(60))
    on.context = replace(on.context, rules=Engine(read_rules(EVERYTHING, Path("rules.toml")), len))
    waited = (61_000, 0, 61_000, 61_000, 0, 59_000)
    on.transactions = [
        replace(record, timestamp=SPEC.end_ms - each)
        for record, each in zip(on.transactions[: len(waited)], waited, strict=True)
    ]
    for offsets in ((0, 1, 2), (3, 4, 5)):
        on.partition.put(on.event(*offsets))
        await until(lambda last=offsets[-1]: on.acked[-1:] == [last])
    lacking = [block.decisions["degraded"].tolist() for block in on.writer.blocks]
    assert lacking == [[Lacking.MODEL | Lacking.EXPLANATIONS] * 3, [Lacking.MODEL] * 3]
    assert on.count("monitor_alerts_total", outcome="review") == 6
    assert on.count("monitor_alerts_unexplained_total") == 0, "there is no model that would have explained"
    assert on.around.shedding.is_on(on.around.clock.monotonic_s())


async def test_a_partition_that_comes_straight_back_keeps_its_state(bench):
    on = await bench()
    on.partition.put(on.event(0, 1, 2))
    await until(lambda: on.acked == [2])
    await on.partition.stop()
    on.log.position = on.partition.position
    after = Partition(NUMBER, on.around)
    await after.take(on.partition)
    await after.recover()
    assert after.accounts is on.partition.accounts
    assert on.log.loads == 1
    assert after.next_offset == 3


async def test_state_is_loaded_again_where_somebody_else_has_committed_since(bench):
    on = await bench()
    on.partition.put(on.event(0, 1, 2))
    await until(lambda: on.acked == [2])
    await on.partition.stop()
    on.log.position = replace(on.partition.position, last_offset=9, block_hash=b"x" * 32)
    after = Partition(NUMBER, on.around)
    await after.take(on.partition)
    await after.recover()
    assert after.accounts is not on.partition.accounts
    assert on.log.loads == 2
    assert after.next_offset == 10


async def test_committed_runs_are_told_to_the_watch_of_the_rails(bench):
    on = await bench()
    on.partition.put(on.event(*range(60)))
    await until(lambda: on.acked == [59])
    reports = {each.rail: each for each in on.around.rails.reports(on.around.clock.monotonic_s())}
    assert sum(each.admitted for each in reports.values()) == 60
    assert len(reports) == len(RAILS)
    assert all(each.rejected == 0 for each in reports.values())


async def test_nothing_but_rejects_ends_the_worker_after_what_it_committed(bench):
    on = await bench()
    on.transactions = [replace(each, value=b"no Avro") for each in on.transactions]
    on.partition.put(on.event(*range(15)))
    await until(lambda: on.acked == [14])
    on.around.clock.advance_ms(round(STARTING_S * 1000))
    on.partition.put(on.event(*range(15, 30)))
    await until(lambda: on.fatal)
    assert isinstance(on.fatal[0], OnlyRejectsError)
    assert "wrong_magic 30" in str(on.fatal[0])
    assert on.decided == list(range(30))
    assert on.acked == [14]
