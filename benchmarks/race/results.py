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

THROUGHPUT = (
    "events",
    "wall_s",
    "cpu_s",
    "events_per_s",
    "events_per_cpu_s",
    "rss_mb",
    "broker_bytes_per_event",
    "broker_cpu_share",
)
LATENCY = ("p50_ms", "p99_ms", "p999_ms", "late_ms")
FIGURES = (*THROUGHPUT, *LATENCY)
KEY = ("job", "system", "mode", "rate")


class Results:
    """Collects runs and writes the file after each, so that a race that is broken off leaves what it has.

    With `add` to those the file has: a race in parts, each of which says when and with which version it ran.
    """

    def __init__(self, path: Path, add: bool = False) -> None:
        self._path = path
        self._runs: dict[tuple[str, str, str, float | None], list[dict[str, Any]]] = {}
        self._facts = _facts()
        self._part = {name: self._facts[name] for name in ("when", "command", "commit")}
        self._parts: list[dict[str, Any]] = []
        if add:
            before = json.loads(path.read_text())
            self._parts = before.get("parts", [{name: before[name] for name in self._part}])
            self._runs = {tuple(each[name] for name in KEY): each["each"] for each in before["runs"]}

    def add(self, job: str, system: System, figures: dict[str, Any], rate: float | None = None) -> None:
        """`job`: keys and share of alerts, as in `field.EVERY_JOB`; `rate`: events a second that were offered."""
        self._runs.setdefault((job, system.name, system.mode, rate), []).append(figures)
        found = self._facts | {
            "parts": [*self._parts, self._part],
            "runs": [_entry(key, runs) for key, runs in self._runs.items()],
        }
        found["load_1min_after"] = round(os.getloadavg()[0], 2)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(found, indent=2) + "\n")


def _entry(key: tuple[str, str, str, float | None], runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians; `min` and `max` of each figure; and all repeats as they were. `rate`: events a second offered, None: as fast as it can."""
    job, system, mode, rate = key
    keys, share = job.split()
    entry: dict[str, Any] = {"job": job, "system": system, "mode": mode, "rate": rate, "keys": keys}
    entry |= {"alert_share": float(share), "alerts": runs[-1]["alerts"], "repeats": len(runs)}
    for name in FIGURES:
        values = [each[name] for each in runs if each.get(name) is not None]
        entry[name] = statistics.median(values) if values else None
    present = [name for name in FIGURES if entry[name] is not None]
    entry["min"] = {name: min(each[name] for each in runs) for name in present}
    entry["max"] = {name: max(each[name] for each in runs) for name in present}
    return entry | {"each": runs}


def _facts() -> dict[str, Any]:
    found = facts()
    java = find_java()
    if java is not None:
        done = subprocess.run([str(java), "-version"], capture_output=True, text=True, check=False)
        found["versions"]["java"] = (done.stderr.splitlines() or [""])[0]
    found["versions"]["kafka"] = VERSION
    found["versions"] |= {name: each for name, _, each in (QUIX[0].partition("=="), BYTEWAX[0].partition("=="))}
    return found
