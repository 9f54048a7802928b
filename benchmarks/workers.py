"""`python -m benchmarks.workers`: one worker against two over one topic: does a transaction cost the same, and do they do twice as many?

A worker has a processor, as far as there are enough: here two, which the broker takes its share of. So CPU seconds say what more workers
cost, and events a second what is left of a machine that all share. Both workers are in the group's first generation.
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

from benchmarks.installation import Feed, Installation, Worker, say
from benchmarks.machine import facts
from benchmarks.middle import BEGIN, END, until
from benchmarks.protocol import simulated
from benchmarks.race.broker import RaceKafka
from benchmarks.race.systems import EVERYTHING_ON
from benchmarks.reading import cpu_seconds

RESULTS = Path(__file__).parent / "results" / "workers.json"
PARTITIONS, CPUS = 4, (1, 0)
BROKER = {"group.initial.rebalance.delay.ms": "15000"}
"""Longer than one starts after the other."""


class Together:
    """Workers of one group as one."""

    def __init__(self, workers: list[Worker]) -> None:
        self.workers = workers

    @property
    def pid(self) -> int:
        return self.workers[0].pid

    def done(self) -> int:
        return sum(worker.done() for worker in self.workers)

    def cpu_s(self) -> float:
        return sum(cpu_seconds(worker.pid) for worker in self.workers)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.workers", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--transactions", type=int, default=3_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    seen: dict[int, list[dict[str, Any]]] = {1: [], 2: []}
    with RaceKafka(BROKER) as kafka, Installation(kafka.bootstrap, PARTITIONS) as loaded:
        Feed(loaded, simulated(options.transactions, 3)).start().wait()
        for repeat in range(options.repeats):
            for count in sorted(seen, reverse=bool(repeat % 2)):
                seen[count].append(measured(kafka, loaded.name, count, options.transactions))
                say(f"{count}: {seen[count][-1]}")
    found = [{"workers": count, **summary(runs)} for count, runs in seen.items()]
    result = facts() | {"transactions": options.transactions, "repeats": options.repeats, "runs": found}
    options.output.write_text(json.dumps(result, indent=2) + "\n")


def measured(kafka: RaceKafka, topics: str, count: int, transactions: int) -> dict[str, Any]:
    """Figures of the middle of the topic, of all workers together."""
    with Installation(kafka.bootstrap, PARTITIONS, topics=topics) as installation:
        workers = Together([installation.start(cpu=cpu, config=EVERYTHING_ON) for cpu in CPUS[:count]])
        first = until(workers, int(BEGIN * transactions))
        began_s, began_cpu, began_broker = time.monotonic(), workers.cpu_s(), cpu_seconds(kafka.pid)
        last = until(workers, int(END * transactions))
        wall_s, cpu_s = time.monotonic() - began_s, workers.cpu_s() - began_cpu
        until(workers, transactions)
        each = [worker.done() for worker in workers.workers]
        return {
            "events_per_s": round((last - first) / wall_s),
            "events_per_cpu_s": round((last - first) / cpu_s),
            "broker_cpu_share": round((cpu_seconds(kafka.pid) - began_broker) / wall_s, 2),
            "least_done_by_one": min(each),
        }


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians, least and greatest."""
    return {
        name: {
            "median": statistics.median(each[name] for each in runs),
            "each": [each[name] for each in runs],
        }
        for name in runs[0]
    }


if __name__ == "__main__":
    main()
