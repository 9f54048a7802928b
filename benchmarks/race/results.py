"""benchmarks/results/latest.json: machine, versions, and one entry a system, mode and job, with medians over the repeats."""

import json
import os
import statistics
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.machine import facts
from benchmarks.race.field import BYTEWAX, QUIX, System
from monitor.embedded.java import find_java
from monitor.embedded.kafka import VERSION

FIGURES = ("wall_s", "cpu_s", "events_per_s", "events_per_cpu_s", "rss_mb", "broker_bytes", "broker_cpu_share")
LATENCIES = ("p50_ms", "p99_ms", "p999_ms")


class Results:
    """Collects runs and writes the file after each, so that a race that is broken off leaves what it has."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._runs: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
        self._facts = _facts()

    def add(self, job: str, system: System, figures: dict[str, Any]) -> None:
        """`job`: keys and rate of alerts, or the like, as in `field.EVERY_JOB`."""
        self._runs.setdefault((job, system.name, system.mode), []).append(figures)
        found = self._facts | {"runs": [_entry(key, runs) for key, runs in self._runs.items()]}
        found["load_1min_after"] = round(os.getloadavg()[0], 2)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(found, indent=2) + "\n")


def _entry(key: tuple[str, str, str], runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians; `min` and `max` of each figure; and all repeats as they were."""
    job, system, mode = key
    keys, rate = job.split()
    entry: dict[str, Any] = {"job": job, "system": system, "mode": mode, "rate": float(rate), "keys": keys}
    entry |= {"events": runs[-1]["events"], "alerts": runs[-1]["alerts"], "repeats": len(runs)}
    for name in (*FIGURES, *LATENCIES):
        values = [each[name] for each in runs if each.get(name) is not None]
        entry[name] = statistics.median(values) if values else None
    entry["min"] = {name: min(each[name] for each in runs) for name in FIGURES if name in runs[0]}
    entry["max"] = {name: max(each[name] for each in runs) for name in FIGURES if name in runs[0]}
    entry["each"] = runs
    return entry


def _facts() -> dict[str, Any]:
    found = facts()
    java = find_java()
    if java is not None:
        done = subprocess.run([str(java), "-version"], capture_output=True, text=True, check=False)
        found["versions"]["java"] = (done.stderr.splitlines() or [""])[0]
    found["versions"]["kafka"] = VERSION
    found["versions"] |= {name: each for name, _, each in (QUIX[0].partition("=="), BYTEWAX[0].partition("=="))}
    return found
