"""`python -m benchmarks.rebalance`: for how long decisions stand still when a worker joins or leaves, with 100,000 accounts a partition.

Two workers decide a steady load; a third joins, is asked to leave, and comes back to be killed. Pauses are read from the audit log:
the longest time between two blocks of a partition that follow each other (Kafka's timestamps, set by the worker when it commits),
in steady state and around each change. Who holds a partition is what each worker's /ready says before and after; what a pause is
made of is what the surviving workers logged.
"""

import argparse
import itertools
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.installation import Feed, Installation, Worker, say, uniform, wait_for
from benchmarks.machine import facts
from monitor.effects.block import read_block
from monitor.embedded.kafka import EmbeddedKafka

RESULTS = Path(__file__).parent / "results"

WARM_S = 5.0
"""Of the load, before the steady state is looked at: what was idle until then is no pause."""

PHASES = {"revoked": "partitions revoked", "assigned": "partitions assigned", "recovered": "partition recovered"}

Held = dict[int, str]
"""Partition -> the worker that has it recovered."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rebalance", description=__doc__)
    parser.add_argument("--accounts", type=int, default=100_000, help="a partition (default 100000)")
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--rate", type=float, default=5_000, help="transactions a second (default 5000)")
    parser.add_argument("--seconds", type=float, default=20, help="of steady load around each change (default 20)")
    parser.add_argument(
        "--session-timeout", type=float, default=6, help="seconds, for the kill (default 6; shipped: 30)"
    )
    parser.add_argument("--output", type=Path, default=RESULTS / "rebalance.json")
    options = parser.parse_args()
    with EmbeddedKafka(heap_mib=1024) as kafka, Installation(kafka.bootstrap, options.partitions) as installation:
        result = facts() | {
            name: getattr(options, name) for name in ("accounts", "partitions", "rate", "seconds", "session_timeout")
        }
        result["changes"] = measure(installation, options)
    result["load_1min_after"] = round(os.getloadavg()[0], 2)
    options.output.write_text(json.dumps(result, indent=2) + "\n")
    say(f"figures in {options.output}")


def measure(installation: Installation, options: argparse.Namespace) -> list[dict[str, Any]]:
    accounts = options.accounts * options.partitions
    settings = {"session_timeout_s": options.session_timeout}
    workers = {name: installation.start(**settings) for name in ("first", "second")}
    say(f"{accounts:,} accounts, each once")
    Feed(installation, uniform(accounts, accounts, 1)).start().wait()
    wait_for(lambda: sum(worker.done() for worker in workers.values()) >= accounts, "every account decided")
    before = settled(workers, installation.partitions)
    enough = int(options.rate * (5 * options.seconds + 600))
    feed = Feed(installation, uniform(enough, accounts, 2, options.rate), options.rate).start()
    wait_for(lambda: feed.sent >= options.rate * WARM_S, "the steady load is under way")
    moments, changes = [("steady", time.time(), before, before)], []
    time.sleep(options.seconds)
    for change in ("a third joins", "the third leaves", "the third comes back", "the third is killed"):
        began = time.time()
        say(change)
        if change in ("a third joins", "the third comes back"):
            workers["third"] = installation.start(**settings)
        else:
            leaving = workers.pop("third")
            leaving.stop() if change == "the third leaves" else leaving.kill()
            installation.workers.remove(leaving)
        wait_for(lambda: not missing(holders(workers), workers, installation.partitions), change)
        after = settled(workers, installation.partitions)
        say(f"{before} -> {after}")
        moments.append((change, began, before, after))
        before = after
        time.sleep(options.seconds)
    feed.stop()
    times = block_times(installation)
    ends = [began for _, began, _, _ in moments[1:]] + [time.time()]
    for (change, began, old, new), end in zip(moments, ends, strict=True):
        changes.append(figures(change, old, new, times, began, end))
        changes[-1]["phases_s"] = {name: phases(worker, began, end) for name, worker in workers.items()}
        say(json.dumps(changes[-1]))
    return changes


def holders(workers: dict[str, Worker]) -> Held:
    return {partition: name for name, worker in workers.items() for partition in worker.recovered()}


def missing(held: Held, workers: dict[str, Worker], partitions: int) -> bool:
    """Whether the group is still about it: partitions without a worker, or, as there are enough, a worker without partitions."""
    return len(held) < partitions or (len(workers) <= partitions and len(set(held.values())) < len(workers))


def settled(workers: dict[str, Worker], partitions: int) -> Held:
    """Who has what, once two looks in a row agree."""
    last: Held = {}
    for _ in range(600):
        now = holders(workers)
        if now == last and not missing(now, workers, partitions):
            return now
        last = now
        time.sleep(1.0)
    raise SystemExit(f"the partitions do not settle: {last}")


def block_times(installation: Installation) -> dict[int, list[float]]:
    """Kafka's timestamps of each partition's blocks of transactions, in seconds since the epoch."""
    times: dict[int, list[float]] = {p: [] for p in range(installation.partitions)}
    for message in installation.read(installation.settings.topic_audit):
        if read_block(message.value()).records:
            times[message.partition()].append(message.timestamp()[1] / 1000)
    return times


def figures(
    change: str, old: Held, new: Held, times: dict[int, list[float]], began: float, end: float
) -> dict[str, Any]:
    """What moved, and the longest pause of each partition that ended within `began..end`, in seconds."""
    pauses = {p: longest(each, began, end) for p, each in times.items()}
    moved = sorted(p for p in new if old.get(p) != new[p])
    gone = set(old.values()) - set(new.values())
    return {
        "change": change,
        "before": old,
        "after": new,
        "moved": moved,
        "had_to_move": had_to_move(old, new, gone),
        "pause_moved_s": {p: pauses[p] for p in moved},
        "pause_stayed_s": {p: pauses[p] for p in sorted(set(new) - set(moved))},
        "longest_pause_s": max(pauses.values()),
    }


def phases(worker: Worker, began: float, end: float) -> dict[str, float]:
    """When a worker gave its partitions up, got others, and had the last of them loaded, in seconds after the change."""
    found = {
        name: [line["at"] - began for line in worker.lines(message) if began <= line["at"] < end]
        for name, message in PHASES.items()
    }
    return {name: round(max(each), 2) for name, each in found.items() if each}


def had_to_move(old: Held, new: Held, gone: Iterable[str]) -> int:
    """The fewest that can move: what the gone ones had, and what newcomers get."""
    left = sum(old[p] in set(gone) for p in old)
    came = sum(new[p] not in set(old.values()) for p in new)
    return max(left, came)


def longest(times: list[float], began: float, end: float) -> float:
    within = [(b - a) for a, b in itertools.pairwise(times) if began <= b <= end]
    return round(max(within, default=end - began), 3)


if __name__ == "__main__":
    main()
