"""The pure part of the job, stage by stage: what `monitor.pipeline.decide_run` spends on a record, without Kafka and Faust.

All cases are interleaved, a run of each in turn, so that a slow moment of the machine falls on all of them alike. Figures are
medians over runs, so that they say what a run costs when nothing else happens; the mean would measure the neighbours.
"""

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry

from monitor.clock import ManualClock
from monitor.context import Context
from monitor.deciding import DecidingContext
from monitor.effects.audit import Position, genesis_block
from monitor.observe.metrics import Metrics
from monitor.observe.run_figures import RunFigures
from monitor.pipeline import decide_run
from monitor.scoring.artifact import load_model
from monitor.settings import load_settings
from monitor.simulate.messages import transaction_messages
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate
from monitor.stages import Stage, Stopwatch
from monitor.state.accounts import Accounts
from monitor.state.dispositions import Disposition
from monitor.wire.records import Record, Records, Run

STAGES = (Stage.DECODE, Stage.ADMIT, Stage.FOLD, Stage.SCORE, Stage.DECIDE, Stage.EFFECTS)
LOOKS = 2_000
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
        Case("runs of 32,000", few, 32_000, 100),
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
    figures = {case.name: _figures(case) for case in chosen}
    return {
        "records": records,
        "seed": seed,
        "model": context.versions["model"],
        "cases": figures,
        "observing": observing(figures),
    }


def observing(cases: dict[str, Any]) -> dict[str, Any]:
    """What it costs to look: microseconds a run for the histogram of stages (the clock included) and for all metrics of a run, and
    the share of the former in what a run of each case takes without its commit.
    """
    metrics, watch_us = Metrics(CollectorRegistry()), _each(_watched)
    run = _run_figures()
    all_us = _each(lambda: metrics.record_run(run))
    bare = replace(run, stages_s={})
    histogram_us = all_us - _each(lambda: metrics.record_run(bare)) + watch_us
    shares = {
        name: histogram_us / (each["microseconds_a_record"]["all"] * each["run_records"])
        for name, each in cases.items()
    }
    return {
        "stage_histogram_us_a_run": round(histogram_us, 2),
        "all_metrics_us_a_run": round(all_us + watch_us, 2),
        "stage_histogram_share": {name: round(share, 5) for name, share in shares.items()},
    }


def _watched() -> None:
    watch = Stopwatch()
    for stage in Stage:
        watch.lap(stage)


def _each(call: Callable[[], object]) -> float:
    """Microseconds a call, the median of many."""
    taken = []
    for _ in range(LOOKS):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1e6


def _run_figures() -> RunFigures:
    """Of one transaction that was scored."""
    zero = np.zeros(1, np.uint8)
    return RunFigures(
        partition=0,
        dispositions=np.full(1, int(Disposition.SCORED), np.uint8),
        reasons=zero,
        flags=np.zeros(1, np.uint16),
        event_times_ms=np.zeros(1, np.int64),
        scores=np.full(1, 0.5),
        alert_outcomes=zero[:0],
        held=zero,
        record_times_ms=np.zeros(2, np.int64),
        detected_at_ms=1,
        committed_at_ms=2,
        commit_s=0.001,
        stages_s=dict.fromkeys(Stage, 0.001),
        watermark_ms=0,
        last_offset=1,
        audit_height=1,
        accounts=1,
        horizons_ms=np.zeros(1, np.int64),
        swept=0,
        misplaced=0,
        partial=0,
        unexplained=0,
    )


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
