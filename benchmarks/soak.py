"""`python -m benchmarks.soak`: does a worker's memory stay flat? Half an hour at a steady rate, sampled.

A worker with everything on has one processor, the broker and the feed the other. Every account is touched in the first minutes, so that what
grows afterwards is no account. Event times pass thirty thousand times faster than the clock, so that an account pays twice a day and windows move on, and
the model is fitted to this very stream, so that alerts are as rare as in life. Said are resident memory, threads, open files and how far the worker is behind, every ten seconds, and
the slope of the memory over the last two thirds (least squares).
"""

import argparse
import itertools
import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.installation import Feed, Installation, Pairs, Worker, dealt_batches, say, wait_for
from benchmarks.machine import facts
from benchmarks.race.broker import RaceKafka
from benchmarks.race.job import FEATURES, TRAINING_SEED
from benchmarks.race.systems import EVERYTHING_ON
from benchmarks.reading import BROKER_CPU, WORKER_CPU, cpu_seconds, pin
from monitor.learn.dataset import replay
from monitor.learn.fit import Recipe, fit, golden_rows
from monitor.learn.sources import simulated
from monitor.money.exchange import load_exchange
from monitor.scoring.artifact import save_model, set_current
from monitor.simulate.batch import Batch
from monitor.simulate.messages import transaction_messages

RESULTS = Path(__file__).parent / "results" / "soak.json"
PARTITIONS = 4
BLOCK = 1_000_000
TRAINING = 2_000_000
FASTER = 30_000
"""Event time passes so many times faster than the clock."""

SETTLED_SHARE = 1 / 3
"""Of the time, after which the slope is taken."""

BROKER = {"log.retention.bytes": str(256 << 20), "log.segment.bytes": str(64 << 20)}
"""Half an hour of transactions would be some 10 GB of disk."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument(
        "--rate",
        type=float,
        default=35_000,
        help="transactions a second (default 35000: a core more than half busy with short runs)",
    )
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--every", type=float, default=10, help="seconds between samples (default 10)")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="monitor-soak-") as directory,
        RaceKafka(BROKER) as kafka,
        Installation(kafka.bootstrap, PARTITIONS) as installation,
    ):
        pin(kafka.pid, BROKER_CPU)
        os.sched_setaffinity(0, {BROKER_CPU})
        models = fitted(options, Path(directory))
        worker = installation.start(cpu=WORKER_CPU, config=EVERYTHING_ON, models_dir=models)
        wait_for(lambda: len(worker.recovered()) == PARTITIONS, "ready")
        samples, feed = soaked(installation, worker, options)
    result = facts() | {name: getattr(options, name) for name in ("minutes", "rate", "accounts")}
    result |= {"late_s": round(feed.late_s, 2), **slope(samples), "samples": samples}
    options.output.write_text(json.dumps(result, indent=1) + "\n")
    say(f"{result['mb_an_hour']} MB an hour; figures in {options.output}")


def soaked(
    installation: Installation, worker: Worker, options: argparse.Namespace
) -> tuple[list[dict[str, Any]], Feed]:
    """Samples of a worker that is fed at the rate for the time."""
    began_s, began_cpu = time.monotonic(), cpu_seconds(worker.pid)
    feed = Feed(installation, encoded(paid(options)), options.rate).start()
    samples: list[dict[str, Any]] = []
    tick = threading.Event()
    while (passed_s := time.monotonic() - began_s) < 60 * options.minutes:
        tick.wait(min(options.every, 60 * options.minutes - passed_s))
        samples.append(sample(installation, worker, feed, began_s, began_cpu))
        if len(samples) % 6 == 1:
            say(f"{samples[-1]}")
    feed.stop()
    wait_for(lambda: worker.done() >= feed.sent, "all decided")
    return samples, feed


def sample(installation: Installation, worker: Worker, feed: Feed, began_s: float, began_cpu: float) -> dict[str, Any]:
    passed_s = time.monotonic() - began_s
    return {
        "s": round(passed_s, 1),
        "rss_mb": worker.memory_mb(),
        "threads": len(list(Path(f"/proc/{worker.pid}/task").iterdir())),
        "files": len(list(Path(f"/proc/{worker.pid}/fd").iterdir())),
        "sent": feed.sent,
        "behind": feed.sent - worker.done(),
        "alerts": sum(high for _, high in installation.ends(installation.settings.topic_alerts).values()),
        "cpu_share": round((cpu_seconds(worker.pid) - began_cpu) / passed_s, 3),
    }


def paid(options: argparse.Namespace) -> Iterator[Batch]:
    """Transactions of all accounts at random, no id twice; the last of the time happens now."""
    event_ms_each = FASTER * 1000 / options.rate
    at_ms = time.time_ns() / 1e6 - FASTER * options.minutes * 60_000

    def choose(draw: np.random.Generator, places: Any) -> Any:
        return draw.integers(0, options.accounts, len(places))

    for seed in itertools.count(1):
        for batch in dealt_batches(BLOCK, seed, choose):
            times = at_ms + event_ms_each * np.arange(1, len(batch) + 1)
            at_ms = times[-1]
            moved = times.astype(np.int64)
            nothing = np.zeros(len(batch), np.bool_)  # is labelled: the simulator's labels are of its own times
            yield replace(batch, event_time=moved, arrival_time=moved, is_fraud=nothing)


def encoded(batches: Iterator[Batch]) -> Iterator[Pairs]:
    for batch in batches:
        messages = transaction_messages(batch, 1)
        yield messages.keys, messages.values  # type: ignore[misc]


def beginning(batches: Iterator[Batch], count: int) -> Iterator[Batch]:
    """The first batches, of `count` or a few more."""
    while count > 0:
        batch = next(batches)
        count -= len(batch)
        yield batch


def fitted(options: argparse.Namespace, directory: Path) -> Path:
    """The directory of a model of this stream's beginning."""
    training = replay(simulated(beginning(paid(options), TRAINING)), load_exchange(None))
    model = fit(training, Recipe(features=FEATURES, seed=TRAINING_SEED), "soak")
    save_model(directory, model, golden_rows(model, training), {}, "The model of a soak.\n")
    set_current(directory, "soak")
    return directory


def slope(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """Memory at the beginning of what counts, at the end, and by how much it grew an hour meanwhile."""
    settled = [each for each in samples if each["s"] >= SETTLED_SHARE * samples[-1]["s"]]
    grown, _ = np.polyfit([each["s"] / 3600 for each in settled], [each["rss_mb"] for each in settled], 1)
    return {
        "rss_mb_settled": settled[0]["rss_mb"],
        "rss_mb_end": settled[-1]["rss_mb"],
        "mb_an_hour": round(float(grown), 1),
        "most_behind": max(each["behind"] for each in settled),
    }


if __name__ == "__main__":
    main()
