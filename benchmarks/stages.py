"""The pure part of the job, stage by stage: what `monitor.pipeline.decide_run` spends on a record, without Kafka and Faust.

All cases are interleaved, a run of each in turn, so that a slow moment of the machine falls on all of them alike. Figures are
medians over runs, so that they say what a run costs when nothing else happens; the mean would measure the neighbours.
"""

import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from monitor.clock import ManualClock
from monitor.deciding import DecidingContext
from monitor.effects.audit import Position, genesis_block
from monitor.pipeline import Context, decide_run
from monitor.scoring.artifact import load_model
from monitor.settings import load_settings
from monitor.simulate.messages import transaction_messages
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate
from monitor.stages import Stage
from monitor.state.accounts import Accounts
from monitor.wire.records import Record, Records, Run

STAGES = (Stage.DECODE, Stage.ADMIT, Stage.FOLD, Stage.SCORE, Stage.DECIDE, Stage.EFFECTS)
WARM_RUNS = 3  # of each case, not counted: caches, branch predictors, the first growth of the account table


@dataclass
class Case:
    """`accounts` accounts, runs of `run_records`; `seconds` by stage, one figure a run, in seconds a record."""

    name: str
    accounts: int
    run_records: int
    most_runs: int
    seconds: dict[Stage, list[float]] = field(default_factory=lambda: defaultdict(list))


def cases(records: int) -> list[Case]:
    """From latency (runs of one record) to throughput (long runs), and many accounts with hardly a record each."""
    few, many = min(6_000, max(records // 30, 10)), max(records, 10)
    return [
        Case("runs of 1", few, 1, 500),
        Case("runs of 100", few, 100, 300),
        Case("runs of 2,000", few, 2_000, 300),
        Case("runs of 8,000", few, 8_000, 300),
        Case("runs of 2,000, as many accounts as records", many, 2_000, 300),
    ]


def measure(records: int, seed: int) -> dict[str, Any]:
    """Microseconds a record, by case and stage, and records a second on one core. Ready for JSON."""
    chosen = cases(records)
    inputs = {accounts: _input(records, accounts, seed) for accounts in {case.accounts for case in chosen}}
    context = _context(*inputs[chosen[0].accounts])
    steps = [_run_by_run(case, *inputs[case.accounts], context) for case in chosen]
    while steps:
        steps = [step for step in steps if next(step, None) is not None]
    return {
        "records": records,
        "seed": seed,
        "model": context.versions["model"],
        "cases": {case.name: _figures(case) for case in chosen},
    }


def _figures(case: Case) -> dict[str, Any]:
    by_stage = {stage.value: statistics.median(case.seconds[stage]) * 1e6 for stage in STAGES}
    total = sum(by_stage.values())
    return {
        "accounts": case.accounts,
        "run_records": case.run_records,
        "runs": len(case.seconds[Stage.DECODE]),
        "microseconds_a_record": {name: round(value, 3) for name, value in by_stage.items()} | {"all": round(total, 3)},
        "records_a_second": round(1e6 / total),
    }


def _run_by_run(case: Case, log: Records, now_ms: int, context: Context) -> Iterator[int]:
    accounts, position = Accounts(), _begin()
    size = case.run_records
    runs = min(case.most_runs + WARM_RUNS, max(len(log) // size, 1))
    laps: list[tuple[Stage, float]] = []

    def lap(stage: Stage) -> None:
        laps.append((stage, time.perf_counter()))

    for number in range(runs):
        run = Run("transactions", 0, position.last_offset, log[number * size : (number + 1) * size])
        laps.clear()
        began = time.perf_counter()
        position = decide_run(run, accounts, position, context, now_ms, lap).position
        if number >= WARM_RUNS or runs <= WARM_RUNS:
            for stage, ended in laps:
                case.seconds[stage].append((ended - began) / len(run.records))
                began = ended
        yield number


def _begin() -> Position:
    _, position = genesis_block(
        app_id="bench",
        topic="transactions",
        topic_id="bench",
        partition=0,
        start=0,
        alerts_from_offset=0,
        versions={},
        schema_id=1,
    )
    return position


def _input(records: int, accounts: int, seed: int) -> tuple[Records, int]:
    spec = SimulationSpec(seed=seed, transactions=records, accounts=accounts)
    log: list[Record] = []
    for batch in generate(spec):
        messages = transaction_messages(batch, 1)
        log += [Record(len(log) + i, k, v) for i, (k, v) in enumerate(zip(messages.keys, messages.values, strict=True))]
    return Records.of(log), spec.end_ms


def _context(log: Records, now_ms: int) -> Context:
    """With the shipped model. Raises `ArtifactError` when there is none: figures without scores would flatter."""
    settings = load_settings(environ={})
    load_model(settings.models_dir)
    return DecidingContext(settings, ManualClock(now_ms)).for_records(log)
