"""`python -m benchmarks.swap`: for how long decisions stand still when the model is replaced under load.

One worker, its threads on one processor, decides a steady load; every few seconds `current` names the other of two models. Which model decided each
run, and when, is read from the audit log (Kafka's timestamps, set by the worker when it writes a run). The pause of a swap is the longest time between
two blocks that follow each other, of whatever partition, from the second before the first run of the new model until a second after it; beside
it stands the same of seconds of the same load in which nothing was replaced.
"""

import argparse
import json
import os
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.installation import Feed, Installation, say, wait_for
from benchmarks.machine import facts
from benchmarks.protocol import simulated
from benchmarks.reading import BROKER_CPU, WORKER_CPU, pin
from monitor.effects.block import read_block
from monitor.embedded.kafka import EmbeddedKafka
from monitor.scoring.artifact import load_model, save_model
from monitor.settings import load_settings
from monitor.versions import CURRENT, set_pointer

RESULTS = Path(__file__).parent / "results"
PARTITIONS = 4
CHECK_S = 1.0
"""How often the worker looks for another model."""

WARM_S = 10.0
AROUND_MS = 1_000
"""Before and after the first run of the new model: it is read, checked and tried on its golden rows in the first, and followed in the second."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.swap", description=__doc__)
    parser.add_argument("--rate", type=float, default=20_000, help="transactions a second (default 20000)")
    parser.add_argument("--swaps", type=int, default=20)
    parser.add_argument("--every", type=float, default=6.0, help="seconds between swaps (default 6)")
    parser.add_argument("--output", type=Path, default=RESULTS / "swap.json")
    options = parser.parse_args()
    result = facts() | {name: getattr(options, name) for name in ("rate", "swaps", "every")}
    models = Path(tempfile.mkdtemp(prefix="monitor-models-"))
    try:
        versions = two_models(models)
        with EmbeddedKafka(heap_mib=1024) as kafka, Installation(kafka.bootstrap, PARTITIONS) as installation:
            pin(kafka.pid, BROKER_CPU)
            feed = load(installation, models, versions, options)
            result |= pauses(*blocks(installation)) | {"feed_late_ms": round(feed.late_s * 1000, 1)}
    finally:
        shutil.rmtree(models)
    result["load_1min_after"] = round(os.getloadavg()[0], 2)
    options.output.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps({name: result[name] for name in ("swapped", "swap_ms", "quiet_ms", "mixed")}, indent=2))


def two_models(models: Path) -> tuple[str, str]:
    """The shipped model under two names, the first of them current."""
    shipped = load_model(load_settings(environ={}).models_dir)
    rows = np.zeros((1, len(shipped.columns)), np.float32)
    for version in ("one", "two"):
        save_model(models, replace(shipped, version=version), rows, {"metrics": {}}, f"# {version}\n")
    set_pointer(models, CURRENT, "one")
    return "one", "two"


def load(installation: Installation, models: Path, versions: tuple[str, str], options: argparse.Namespace) -> Feed:
    """A steady load, and under it the swaps."""
    seconds = WARM_S + options.every * (options.swaps + 1)
    batches = simulated(int(options.rate * (seconds + 5)), 7, options.rate)
    worker = installation.start(cpu=WORKER_CPU, models_dir=models, artifacts_check_s=CHECK_S)
    wait_for(lambda: len(worker.recovered()) == PARTITIONS, "ready")
    feed = Feed(installation, batches, options.rate).start()
    time.sleep(WARM_S)
    for number in range(options.swaps):
        set_pointer(models, CURRENT, versions[(number + 1) % 2])
        time.sleep(options.every)
    feed.stop()
    wait_for(lambda: worker.done() >= feed.sent, "all decided")
    say(f"{feed.sent:,} transactions decided")
    return feed


def blocks(installation: Installation) -> tuple[NDArray[np.int64], list[str]]:
    """When each run was written, ms ascending int64[n], and the model it was decided with."""
    found = []
    for message in installation.read(installation.settings.topic_audit):
        block = read_block(message.value())
        if block.records:
            found.append((message.timestamp()[1], block.versions["model"]))
    found.sort(key=lambda each: each[0])
    return np.array([when for when, _ in found]), [model for _, model in found]


def pauses(when: NDArray[np.int64], models: list[str]) -> dict[str, Any]:
    """The longest gaps around each swap, and in the seconds between that are as long and touch none.

    `mixed`: runs decided with the old model after another run was decided with the new one, while it was taken.
    """
    begin, end = int(when[0]) + int(WARM_S * 1000), int(when[-1]) - AROUND_MS
    changed = [at for at in range(1, len(models)) if models[at] != models[at - 1] and when[at] > begin - AROUND_MS]
    firsts: list[int] = []
    mixed = 0
    for at in changed:
        if firsts and when[at] - firsts[-1] < AROUND_MS:
            mixed += 1
        else:
            firsts.append(int(when[at]))
    around = [longest(when, first - AROUND_MS, first + AROUND_MS) for first in firsts]
    quiet = [
        longest(when, start, start + 2 * AROUND_MS)
        for start in range(begin, end - 2 * AROUND_MS, 2 * AROUND_MS)
        if all(start + 2 * AROUND_MS < first - AROUND_MS or start > first + AROUND_MS for first in firsts)
    ]
    return {"swapped": len(firsts), "mixed": mixed, "swap_ms": spread(around), "quiet_ms": spread(quiet),
            "swap_all_ms": sorted(around), "quiet_all_ms": sorted(quiet)}  # fmt: skip


def longest(when: NDArray[np.int64], begin: int, end: int) -> int:
    """The longest time between two runs that follow each other, one of which at least lies in the time."""
    first, last = np.searchsorted(when, [begin, end])
    return int(np.diff(when[max(first - 1, 0) : last + 1]).max())


def spread(values: list[int]) -> dict[str, float]:
    return {"median": float(np.median(values)), "p90": float(np.quantile(values, 0.9)), "max": float(max(values))}


if __name__ == "__main__":
    main()
