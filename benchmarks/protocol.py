"""`python -m benchmarks.protocol`: what exactly-once and the audit log cost, beside the same worker at least once without audit.

Both variants (`monitor run`, `benchmarks.at_least_once`) take turns on one broker. Throughput: a preloaded topic, the worker's threads on
one processor and the broker on the other, over the middle of it. Latency: from handing a transaction to the
producer until a read_committed reader has its alert, and until it has the account record that counts it (many more of these).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.installation import SHIPPED, Feed, Installation, Pairs, say, wait_for
from benchmarks.machine import facts
from benchmarks.middle import middle
from benchmarks.reading import BROKER_CPU, WORKER_CPU, pin
from monitor.embedded.kafka import EmbeddedKafka
from monitor.simulate.messages import transaction_messages
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate

RESULTS = Path(__file__).parent / "results"
VARIANTS = {"exactly once with audit": SHIPPED, "at least once without audit": ("-m", "benchmarks.at_least_once")}
PARTITIONS = 4
SLOW = 1_000
"""A second; up to this rate more of the stream is fraud, or there were too few alerts to speak of quantiles."""

WARM_S = 5.0
"""Of each latency measurement, not counted."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.protocol", description=__doc__)
    parser.add_argument(
        "--transactions", type=int, default=2_000_000, help="preloaded, for throughput (default 2000000)"
    )
    parser.add_argument("--rates", type=int, nargs="*", default=[5_000, 100], help="a second, for latency")
    parser.add_argument("--seconds", type=float, default=20, help="of latency a repeat and rate (default 20)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, default=RESULTS / "protocol.json")
    options = parser.parse_args()
    result: dict[str, Any] = facts() | {"transactions": options.transactions, "seconds": options.seconds}
    throughput: dict[str, list[dict[str, float]]] = {name: [] for name in VARIANTS}
    latency: dict[str, dict[int, list[dict[str, float]]]] = {
        name: {rate: [] for rate in options.rates} for name in VARIANTS
    }
    with EmbeddedKafka(heap_mib=1024) as kafka:
        with Installation(kafka.bootstrap, PARTITIONS) as loaded:
            Feed(loaded, simulated(options.transactions, 3)).start().wait()
            pin(kafka.pid, BROKER_CPU)
            for repeat in range(options.repeats):
                for name in turn(repeat):
                    throughput[name].append(run(kafka, loaded, VARIANTS[name], options.transactions))
                    say(f"{name}: {throughput[name][-1]}")
        pin(kafka.pid, *range(os.cpu_count() or 1))
        for repeat in range(options.repeats):
            for name in turn(repeat):
                for rate in options.rates:
                    latency[name][rate].append(wait_and_see(kafka.bootstrap, VARIANTS[name], rate, options.seconds))
                    say(f"{name}: {rate}/s: {latency[name][rate][-1]}")
    result |= {"throughput": throughput, "latency": latency, "summary": summary(throughput, latency)}
    result["load_1min_after"] = round(os.getloadavg()[0], 2)
    options.output.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result["summary"], indent=2))


def turn(repeat: int) -> list[str]:
    """The variants, the other one first each time."""
    return list(VARIANTS) if repeat % 2 == 0 else list(reversed(VARIANTS))


def simulated(count: int, seed: int, rate: float = 0.0, fraud_share: float = 0.007) -> list[Pairs]:
    """Made beforehand, so that making them delays none; event times as in `installation.uniform`."""
    spec = SimulationSpec(seed=seed, transactions=count, accounts=6_000 if rate else None, fraud_share=fraud_share)
    now_ms = time.time_ns() // 1_000_000
    made = [transaction_messages(batch.moved(now_ms - spec.end_ms), 1) for batch in generate(spec)]
    return [(each.keys, each.values) for each in made]  # type: ignore[misc]


def run(kafka: EmbeddedKafka, loaded: Installation, command: tuple[str, ...], count: int) -> dict[str, float]:
    """A fresh installation of its own over the loaded topic."""
    with Installation(kafka.bootstrap, PARTITIONS, topics=loaded.name) as installation:
        worker = installation.start(command, cpu=WORKER_CPU)
        return middle(worker, count, kafka.pid) | {"load_1min": round(os.getloadavg()[0], 2)}


def wait_and_see(brokers: str, command: tuple[str, ...], rate: int, seconds: float) -> dict[str, float]:
    """Latencies in ms of one fresh installation at a rate; `late_ms`: how far the feed fell behind, which is no fault of the worker's."""
    with Installation(brokers, PARTITIONS) as installation:
        batches = simulated(int(rate * (seconds + WARM_S)), 5, rate, fraud_share=0.05 if rate > SLOW else 0.2)
        worker = installation.start(command)
        wait_for(lambda: len(worker.recovered()) == PARTITIONS, "ready")
        file = Path(tempfile.mkdtemp(prefix="monitor-bench-")) / "seen.npz"
        topics = (installation.settings.topic_alerts, installation.settings.changelog_topic)
        reader = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.reader", brokers, *topics, str(file)], stdout=subprocess.PIPE
        )
        try:
            assert reader.stdout is not None
            assert reader.stdout.readline() == b"reading\n"
            feed = Feed(installation, batches, rate, stamped=True).start().wait()
            count = len(feed.times)
            wait_for(lambda: worker.done() >= count, "all decided", every_s=0.05)
            time.sleep(1.0)  # what is decided is being read
        finally:
            reader.terminate()
            reader.wait()
        figures = latencies(feed, file)
        return figures | {"late_ms": round(feed.late_s * 1000, 1), "load_1min": round(os.getloadavg()[0], 2)}


def latencies(feed: Feed, file: Path) -> dict[str, float]:
    seen = np.load(file)
    handed = np.array([feed.times[p, o] for p, o in seen["places"].tolist()])
    taken_ms = (seen["times"] - handed) * 1000
    counted = handed >= min(feed.times.values()) + WARM_S
    found: dict[str, float] = {}
    for kind, name in enumerate(("alert", "account")):
        found |= quantiles(name, taken_ms[counted & (seen["kind"] == kind)])
    return found


def quantiles(name: str, values_ms: NDArray[np.float64]) -> dict[str, float]:
    if not values_ms.size:
        return {f"{name}s": 0}
    p50, p99 = np.quantile(values_ms, [0.5, 0.99])
    return {f"{name}s": values_ms.size, f"{name}_p50_ms": round(float(p50), 1), f"{name}_p99_ms": round(float(p99), 1)}


def summary(throughput: Any, latency: Any) -> dict[str, Any]:
    """Medians over the repeats."""
    return {
        name: {
            figure: statistics.median(each[figure] for each in throughput[name])
            for figure in ("events_per_s", "events_per_cpu_s")
        }
        | {
            f"{rate}/s {figure}": statistics.median(each.get(figure, 0.0) for each in repeats)
            for rate, repeats in latency[name].items()
            for figure in ("alert_p50_ms", "alert_p99_ms", "account_p50_ms", "account_p99_ms")
        }
        for name in VARIANTS
    }


if __name__ == "__main__":
    main()
