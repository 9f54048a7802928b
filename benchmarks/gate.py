"""`python -m benchmarks.gate`: fails when ours became slower, against fetching and decoding alone. A part of `make test`.

Two processes take turns over one loaded topic: a worker with everything on, and a plain consumer that decodes each record and does
nothing else (`benchmarks.fetch_and_decode`). Compared are their CPU seconds a record, medians over the turns: a slow or busy machine makes
both need more, so the ratio stays. What it may be at most stands in benchmarks/results/gate.json; `--set` measures it anew.

Exit 0: within it. 1: slower. 77: nothing measured, and why.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.installation import Feed, Installation, Worker, say
from benchmarks.machine import facts
from benchmarks.middle import Doing, middle
from benchmarks.protocol import simulated
from benchmarks.race.progress import Counted
from monitor.embedded.kafka import EmbeddedKafka, available

LIMIT = Path(__file__).parent / "results" / "gate.json"
PARTITIONS = 4
ALLOWANCE = 1.5
"""How many times the ratio it was set at is still let through. Set at 0.472 on a quiet machine, it was 0.538 in a slower hour of the same one:
ours leans on caches that others fill."""

SKIPPED = 77
"""As other build tools have it."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--transactions", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--set", action="store_true", help=f"write {LIMIT.name} from what is measured now")
    options = parser.parse_args()
    can = available()
    if not can:
        print(f"NO REAL KAFKA: {can.why}")
        return SKIPPED
    figures = measured(options.transactions, options.repeats)
    if options.set:
        figures["most"] = round(figures["ratio"] * ALLOWANCE, 3)
        LIMIT.write_text(json.dumps(facts() | figures, indent=2) + "\n")
        say(f"ratio {figures['ratio']}; from now on at most {figures['most']}")
        return 0
    return judged(figures, json.loads(LIMIT.read_text()))


def judged(figures: dict[str, Any], limit: dict[str, Any]) -> int:
    """0 when the ratio is within the limit, else 1; says both."""
    slower = figures["ratio"] > limit["most"]
    say(
        f"CPU seconds a record, ours over fetching and decoding alone: {figures['ratio']}; set at {limit['ratio']}, at most {limit['most']}"
    )
    if slower:
        print(
            f"ours became slower: {figures['ours']} events a CPU second beside {figures['plain']}. Profile it (docs/testing.md); "
            "if the cost is worth it: python -m benchmarks.gate --set, and say why in the commit"
        )
    return 1 if slower else 0


def measured(count: int, repeats: int) -> dict[str, Any]:
    """Events a CPU second of both, each turn's, and the ratio of their medians."""
    per_cpu_s: dict[str, list[int]] = {"ours": [], "plain": []}
    with EmbeddedKafka(heap_mib=512) as kafka, Installation(kafka.bootstrap, PARTITIONS) as loaded:
        Feed(loaded, simulated(count, 3)).start().wait()
        runs: dict[str, Callable[[], Any]] = {
            "ours": lambda: _ours(kafka.bootstrap, loaded),
            "plain": lambda: _plain(kafka.bootstrap, loaded.settings.topic_transactions),
        }
        for repeat in range(repeats):
            for name in sorted(runs, reverse=bool(repeat % 2)):
                with runs[name]() as doing:
                    per_cpu_s[name].append(middle(doing, count, kafka.pid)["events_per_cpu_s"])
                say(f"{name}: {per_cpu_s[name][-1]:,} events a CPU second")
    medians = {name: statistics.median(values) for name, values in per_cpu_s.items()}
    return {"ratio": round(medians["plain"] / medians["ours"], 3), **per_cpu_s, "transactions": count}


@contextmanager
def _ours(brokers: str, loaded: Installation) -> Iterator[Doing]:
    with Installation(brokers, PARTITIONS, topics=loaded.name) as installation:
        worker: Worker = installation.start()
        yield worker


@contextmanager
def _plain(brokers: str, topic: str) -> Iterator[Doing]:
    with tempfile.TemporaryDirectory(prefix="monitor-gate-") as name:
        directory, progress = Path(name), Path(name) / "progress"
        command = [sys.executable, "-m", "benchmarks.fetch_and_decode", brokers, topic, str(progress)]
        plain = Counted(command, directory, progress)
        try:
            yield plain
        finally:
            plain.kill()


if __name__ == "__main__":
    sys.exit(main())
