"""`python -m benchmarks.beside`: what a candidate model, a sample of the feature vectors, and fifty rules cost the worker.

The same worker decides a preloaded topic, its threads on one processor and the broker on the other, over the middle of it: alone, with a candidate
that scores everything, with the vectors of one account in a hundred, with fifty rules (those of `benchmarks.rules`, with bands that nobody reaches: alerts stay the same), taking
turns. At full speed the sideline may fall behind; what it then leaves out is counted (`looked_at`: the share of transactions that it did see).
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.installation import SHIPPED, Feed, Installation, say
from benchmarks.machine import facts
from benchmarks.middle import middle
from benchmarks.protocol import simulated
from benchmarks.reading import BROKER_CPU, WORKER_CPU, pin
from benchmarks.rules import text_of
from monitor.embedded.kafka import EmbeddedKafka
from monitor.rules.stored import publish
from monitor.scoring.artifact import load_model, save_model
from monitor.settings import load_settings
from monitor.versions import CANDIDATE, CURRENT, set_pointer

RESULTS = Path(__file__).parent / "results"
PARTITIONS = 4
ALONE, WATCHED, RULED = "alone", "watched", "ruled"
VARIANTS: dict[str, tuple[str, dict[str, int], str]] = {
    "alone": (ALONE, {}, ""),
    "candidate": (WATCHED, {}, "monitor_shadow_records_total"),
    "vectors of 1 in 100": (ALONE, {"vectors_sample": 100}, "monitor_vectors_records_total"),
    "fifty rules": (RULED, {}, ""),
}
"""By name: the directory of models, settings, and the metric that counts what was seen."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.beside", description=__doc__)
    parser.add_argument("--transactions", type=int, default=3_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, default=RESULTS / "beside.json")
    options = parser.parse_args()
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in VARIANTS}
    models = Path(tempfile.mkdtemp(prefix="monitor-models-"))
    result = facts() | {"transactions": options.transactions}
    try:
        prepare(models)
        with EmbeddedKafka(heap_mib=1024) as kafka, Installation(kafka.bootstrap, PARTITIONS) as loaded:
            Feed(loaded, simulated(options.transactions, 3)).start().wait()
            pin(kafka.pid, BROKER_CPU)
            for repeat in range(options.repeats):
                names = list(VARIANTS) if repeat % 2 == 0 else list(reversed(VARIANTS))
                for name in names:
                    found[name].append(run(kafka, loaded, models, name, options.transactions))
                    say(f"{name}: {found[name][-1]}")
    finally:
        shutil.rmtree(models)
    result |= {"runs": found, "summary": {name: summary(each) for name, each in found.items()}}
    result["load_1min_after"] = round(os.getloadavg()[0], 2)
    options.output.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result["summary"], indent=2))


def prepare(models: Path) -> None:
    """Two directories of models, one of which has a candidate: the shipped one under another name."""
    shipped = load_model(load_settings(environ={}).models_dir)
    rows = np.zeros((1, len(shipped.columns)), np.float32)
    for directory in (ALONE, WATCHED, RULED):
        for version in ("one", "two"):
            save_model(models / directory, replace(shipped, version=version), rows, {"metrics": {}}, f"# {version}\n")
        set_pointer(models / directory, CURRENT, "one")
    set_pointer(models / WATCHED, CANDIDATE, "two")
    file = models / "rules.toml"
    file.write_text(text_of(50, least=1_000_000))
    publish(models / "rules", file)
    set_pointer(models / "rules", CURRENT, "benchmark")


def run(kafka: EmbeddedKafka, loaded: Installation, models: Path, name: str, count: int) -> dict[str, Any]:
    """A fresh installation of its own over the loaded topic."""
    directory, settings, counted = VARIANTS[name]
    with Installation(kafka.bootstrap, PARTITIONS, topics=loaded.name) as installation:
        rules = models / ("rules" if directory == RULED else "none")
        worker = installation.start(SHIPPED, WORKER_CPU, models_dir=models / directory, rules_dir=rules, **settings)
        figures = middle(worker, count, kafka.pid)
        seen = worker.metric(counted).get('{result="recorded"}', 0.0) if counted else 0.0
        return figures | {"looked_at": round(seen / count, 3), "load_1min": round(os.getloadavg()[0], 2)}


def summary(runs: list[dict[str, Any]]) -> dict[str, float]:
    """Medians."""
    return {
        name: statistics.median(each[name] for each in runs)
        for name in ("events_per_s", "events_per_cpu_s", "looked_at")
    }


if __name__ == "__main__":
    main()
