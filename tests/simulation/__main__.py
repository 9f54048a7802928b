"""Seeded histories of one partition under crashes: `make simulate ARGS="--histories N --seed S"`.

The pipeline and the protocol's rules run against a log in memory whose commits are atomic, as Kafka's transactions are. A history decides a
simulated stream (retries, late events and spoiled records among it) in runs of random sizes, and crashes at random points: before a run is
decided, after it is decided and before it is committed, after the commit and before the acknowledgement. After each crash a new
worker knows only what is in the log: the last audit block and the changelog. The oracle is the same stream decided in one pass, without
a crash. A violation is a record decided never or twice, an alert lost or repeated, a broken chain, or state that differs.
"""

import argparse
import sys
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from monitor.clock import ManualClock
from monitor.deciding import DecidingContext
from monitor.effects.audit import Position, genesis_block, position_of, verify_block
from monitor.effects.block import read_block
from monitor.effects.message import Message
from monitor.errors import MonitorError
from monitor.pipeline import Context, decide_run
from monitor.settings import load_settings
from monitor.simulate.messages import corrupter, transaction_messages
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate
from monitor.state.accounts import Accounts
from monitor.wire.records import Record, Run

TOPIC, PARTITION = "transactions", 0
RECORDS = 240
POINTS = ("before the run is decided", "after it is decided", "after the commit, before the ack")


@dataclass
class Log:
    """What survives a crash: each append is one atomic commit of everything a run leaves behind."""

    changelog: list[tuple[bytes, bytes | None]] = field(default_factory=list)
    audit: list[bytes] = field(default_factory=list)
    alerts: list[tuple[str, bytes]] = field(default_factory=list)


class Crash(Exception):
    """The worker is gone."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__.splitlines()[0])
    parser.add_argument("--histories", type=int, default=1000, help="how many (default 1000)")
    parser.add_argument("--seed", type=int, default=1, help="of the first; each history has the next (default 1)")
    options = parser.parse_args()
    hits: Counter[str] = Counter()
    violations = 0
    context, spec_now = _context()
    for seed in range(options.seed, options.seed + options.histories):
        found = history(seed, context, spec_now, hits)
        for violation in found:
            print(f"seed {seed}: {violation}")
        violations += bool(found)
    for point in POINTS:
        print(f"{hits[point]:>8} crashes {point}")
    print(f"{options.histories} histories, {violations} violations")
    return 1 if violations or not all(hits[point] for point in POINTS) else 0


def history(seed: int, context: Context, now_ms: int, hits: Counter[str]) -> list[str]:
    """One history; what is wrong with it, in words."""
    draws = np.random.default_rng(seed)
    records = _records(seed)
    expected, log = Log(), Log()
    _append(expected, _genesis(context))
    _decide(expected, records, len(records), context, now_ms)
    _append(log, _genesis(context))
    while position_of(read_block(log.audit[-1])).last_offset < records[-1].offset:
        try:
            _worker(log, records, context, now_ms, draws, hits)
        except Crash:
            continue
        except MonitorError as error:
            return [f"{type(error).__name__}: {error}"]
    return _compare(log, expected, records)


def _worker(
    log: Log, records: list[Record], context: Context, now_ms: int, draws: np.random.Generator, hits: Counter[str]
) -> None:
    """Recover from the log, read from the offset after the last audited one, decide until a crash or the end."""
    accounts = Accounts()
    accounts.load_many([key for key, _ in log.changelog], [value for _, value in log.changelog])
    position = position_of(read_block(log.audit[-1]))
    crash_in = int(draws.integers(1, 5))
    point = POINTS[int(draws.integers(len(POINTS)))]
    while position.last_offset < records[-1].offset:
        crash_in -= 1
        waiting = [record for record in records if record.offset > position.last_offset]
        run = Run(TOPIC, PARTITION, position.last_offset, waiting[: int(draws.integers(1, 60))])
        _crash_at(POINTS[0], point, crash_in, hits)
        decided = decide_run(run, accounts, position, context, now_ms)
        _crash_at(POINTS[1], point, crash_in, hits)
        _append(log, decided.messages)
        _crash_at(POINTS[2], point, crash_in, hits)
        position = decided.position


def _crash_at(here: str, point: str, crash_in: int, hits: Counter[str]) -> None:
    if crash_in == 0 and here == point:
        hits[point] += 1
        raise Crash


def _decide(log: Log, records: list[Record], size: int, context: Context, now_ms: int) -> None:
    accounts, position = Accounts(), position_of(read_block(log.audit[-1]))
    for at in range(0, len(records), size):
        run = Run(TOPIC, PARTITION, position.last_offset, records[at : at + size])
        decided = decide_run(run, accounts, position, context, now_ms)
        _append(log, decided.messages)
        position = decided.position


def _append(log: Log, messages: list) -> None:
    for message in messages:
        if message.topic == "audit":
            log.audit.append(message.value)
        elif message.topic == "alerts":
            log.alerts.append((dict(message.headers)["ce_id"].decode(), message.key))
        elif message.topic.endswith("changelog"):
            log.changelog.append((message.key, message.value))


def _compare(log: Log, expected: Log, records: list[Record]) -> list[str]:
    problems = []
    decided = [offset for value in log.audit for offset in read_block(value).decisions["offset"].tolist()]
    if decided != [record.offset for record in records]:
        problems.append(f"{len(decided)} decisions for {len(records)} records, or out of order")
    if Counter(log.alerts) != Counter(expected.alerts):
        problems.append(f"{len(log.alerts)} alerts, {len(expected.alerts)} due")
    if dict(log.changelog) != dict(expected.changelog):
        problems.append("the state differs")
    previous: Position | None = None
    for value in log.audit:
        block = read_block(value)
        try:
            verify_block(block, previous)
        except MonitorError as error:
            problems.append(str(error))
        previous = position_of(block)
    return problems


def _genesis(context: Context) -> list:
    value, _ = genesis_block(
        app_id="simulation", topic=TOPIC, topic_id="T", partition=PARTITION, start=0, alerts_from_offset=0,
        versions=context.versions, schema_id=context.audit_schema_id,
    )  # fmt: skip
    return [Message("audit", None, value, PARTITION, [])]


def _records(seed: int) -> list[Record]:
    """A stream with offsets that have honest gaps, as transactional producers leave them."""
    spec = SimulationSpec(seed=seed, transactions=RECORDS, accounts=10, duplicates=0.05, late=0.05, corrupt=0.05)
    draws, spoil, out, offset = np.random.default_rng(seed + 1), corrupter(seed, spec.corrupt), [], 0
    for batch in generate(spec):
        made = spoil(batch, transaction_messages(batch, 1))
        for key, value in zip(made.keys, made.values, strict=True):
            out.append(Record(offset, key, value))
            offset += 1 + int(draws.random() < 0.1)
    return out


def _context() -> tuple[Context, int]:
    clock = ManualClock(SimulationSpec(transactions=RECORDS, accounts=10).end_ms)
    deciding = DecidingContext(load_settings(environ={}), clock)
    return deciding.for_records([Record(0, b"", b"\0\0\0\0\1")]), clock.now_ms()


if __name__ == "__main__":
    sys.exit(main())
