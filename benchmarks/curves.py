"""`python -m benchmarks.curves`: what a million transactions cost, in CPU seconds, as one thing grows at a time.

Accounts, trees, features of the model, and the share of a run's records that each touch another account. A worker with everything on,
its threads on one processor, the broker on another. Every point first decides each of its accounts once (not counted), then the
stream that counts, as fast as it can; the points take turns. No transaction reaches a threshold: what alerts cost, the race shows.
"""

import argparse
import json
import os
import statistics
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import curves_report
from benchmarks.installation import Choose, Feed, Installation, dealt, say, wait_for
from benchmarks.machine import facts
from benchmarks.middle import middle
from benchmarks.race.broker import RaceKafka
from benchmarks.race.job import FEATURES, TRAINING_SEED, TRAINING_TRANSACTIONS
from benchmarks.race.systems import EVERYTHING_ON
from benchmarks.reading import BROKER_CPU, WORKER_CPU, pin
from benchmarks.threads import by_kind_s
from monitor.features.catalogue import ACCOUNT_FEATURES
from monitor.learn.dataset import Dataset, replay
from monitor.learn.fit import Recipe, fit, golden_rows
from monitor.learn.sources import simulated
from monitor.money.exchange import load_exchange
from monitor.scoring.artifact import save_model, set_current
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate

RESULTS = Path(__file__).parent / "results" / "curves.json"
PARTITIONS = 4
HOT = 1_000
"""Accounts that get what is not dealt to all."""

NEVER = 1.0
"""A threshold that no score reaches."""


@dataclass(frozen=True, slots=True)
class Point:
    """`spread`: share of the transactions dealt to any of the accounts at random; the rest go to `HOT` of them."""

    accounts: int = 10_000
    spread: float = 1.0
    trees: int = 100
    features: int = len(FEATURES)

    @property
    def stream(self) -> tuple[int, float]:
        """Points of one stream read the same topic."""
        return self.accounts, self.spread


BASE = Point()


def curves(most_accounts: int) -> dict[str, dict[str, Point]]:
    """Curves by name, each with its points by what they are labelled."""
    many = min(1_000_000, most_accounts)
    counts = [each for each in (1_000, 10_000, 1_000_000, 5_000_000) if each <= most_accounts]
    every = len(ACCOUNT_FEATURES)
    return {
        "accounts": {f"{each:,}": Point(accounts=each) for each in counts},
        "trees": {str(each): replace(BASE, trees=each) for each in (100, 200, 400)},
        "features of the model": {
            str(each): replace(BASE, features=each) for each in (len(FEATURES), 2 * len(FEATURES), every)
        },
        f"share dealt to all of {many:,} accounts": {
            f"{each:.0%}": Point(accounts=many, spread=each) for each in (0.0, 0.25, 0.5, 1.0)
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.curves", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--transactions", type=int, default=1_000_000, help="that count, a point (default 1000000)")
    parser.add_argument("--most-accounts", type=int, default=5_000_000, help="points with more are left out")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    wanted = curves(options.most_accounts)
    points = list(dict.fromkeys(point for curve in wanted.values() for point in curve.values()))
    seen: dict[Point, list[dict[str, Any]]] = {point: [] for point in points}
    with tempfile.TemporaryDirectory(prefix="monitor-curves-") as directory, RaceKafka() as kafka:
        models = models_of(points, Path(directory))
        loaded = {point.stream: load(kafka, point, options.transactions) for point in points}
        pin(kafka.pid, BROKER_CPU)
        os.sched_setaffinity(0, {BROKER_CPU})
        for repeat in range(options.repeats):
            for point in points if repeat % 2 == 0 else reversed(points):
                seen[point].append(
                    measure(kafka, loaded[point.stream], point, models[point.trees, point.features], options)
                )
                say(f"{point}: {seen[point][-1]}")
    found = {
        name: [{"at": label, **summary(seen[point])} for label, point in curve.items()]
        for name, curve in wanted.items()
    }
    result = facts() | {"transactions": options.transactions, "repeats": options.repeats, "curves": found}
    options.output.write_text(json.dumps(result, indent=2) + "\n")
    print(curves_report.write(options.output))


def models_of(points: list[Point], directory: Path) -> dict[tuple[int, int], Path]:
    """Directories of models, by trees and features: fitted to one training stream."""
    training = replay(
        simulated(generate(SimulationSpec(seed=TRAINING_SEED, transactions=TRAINING_TRANSACTIONS))),
        load_exchange(None),
    )
    chosen = dict.fromkeys((point.trees, point.features) for point in points)
    return {each: _model(training, *each, directory) for each in chosen}


def _model(training: Dataset, trees: int, features: int, directory: Path) -> Path:
    others = [each.name for each in ACCOUNT_FEATURES if each.name not in FEATURES]
    names = (*FEATURES, *others)[:features]
    version = f"curve-{trees}-{features}"
    model = fit(training, Recipe(features=names, trees=trees, seed=TRAINING_SEED), version)
    model = replace(model, review_threshold=NEVER, block_threshold=NEVER)
    models = directory / version
    save_model(models, model, golden_rows(model, training), {}, "A model of the cost curves.\n")
    set_current(models, version)
    return models


def load(kafka: RaceKafka, point: Point, count: int) -> str:
    """A topic of the point's stream; the name its installations take for their topics."""
    with Installation(kafka.bootstrap, PARTITIONS) as installation:
        Feed(installation, dealt(point.accounts + count, 3, first_all_then(point))).start().wait()
        say(f"{installation.settings.topic_transactions}: {point.accounts + count:,} transactions")
        return installation.name


def first_all_then(point: Point) -> Choose:
    """Each account once, in turn, then at random as the point deals."""

    def choose(draw: np.random.Generator, places: NDArray[np.int64]) -> NDArray[np.int64]:
        anyone = draw.integers(0, point.accounts, len(places))
        hot = draw.integers(0, min(HOT, point.accounts), len(places))
        later = np.where(draw.random(len(places)) < point.spread, anyone, hot)
        return np.where(places < point.accounts, places, later)

    return choose


def measure(kafka: RaceKafka, topics: str, point: Point, models: Path, options: argparse.Namespace) -> dict[str, Any]:
    with Installation(kafka.bootstrap, PARTITIONS, topics=topics) as installation:
        worker = installation.start(cpu=WORKER_CPU, config=EVERYTHING_ON, models_dir=models)
        wait_for(lambda: len(worker.recovered()) == PARTITIONS, "ready")
        empty_mb = worker.memory_mb()
        figures = middle(worker, options.transactions, kafka.pid, before=point.accounts)
        figures |= {
            "cpu_s_a_million": round(1e6 / figures["events_per_cpu_s"], 2),
            "rss_bytes_an_account": round((worker.memory_mb() - empty_mb) * 2**20 / point.accounts),
            "stages_s": {name: round(seconds, 2) for name, seconds in worker.stages_s().items()},
            "threads_s": by_kind_s(worker.pid),
        }
        changelog = installation.settings.changelog_topic
        written = sum(high for _, high in installation.ends(changelog).values())
        messages = (written - point.accounts) / options.transactions
        size = kafka.bytes_in(changelog) / written
        figures |= {"changelog_messages": round(messages, 3), "changelog_bytes": round(messages * size)}
    kafka.forget(installation.name)
    return figures


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians, least and greatest; what is not a number as it was in the last run."""
    numbers = [name for name, value in runs[0].items() if isinstance(value, int | float)]
    medians = {name: statistics.median(each[name] for each in runs) for name in numbers}
    spread = {name: [min(each[name] for each in runs), max(each[name] for each in runs)] for name in numbers}
    return medians | {"stages_s": runs[-1]["stages_s"], "threads_s": runs[-1]["threads_s"], "spread": spread}


if __name__ == "__main__":
    main()
