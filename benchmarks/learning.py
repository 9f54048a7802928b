"""What learning from many payments costs: features by replay, and a fit, on one core; seconds, and the peak of memory.

python -m benchmarks.learning [--transactions 10000000]

The payments are simulated into a Parquet file first, which does not count. Each repeat is a process of its own, pinned to one CPU.
"""

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import facts
from monitor.learn.dataset import replay
from monitor.learn.fit import Recipe, fit
from monitor.learn.sources import FileSource, SimulatedSource
from monitor.money.exchange import load_exchange
from monitor.simulate.files import write_parquet
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate

OUTPUT = Path(__file__).parent / "results" / "learning.json"
SEED = 77
MIB = 1 << 20


def main() -> None:
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--transactions", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="monitor-learning-") as directory:
        path = Path(directory) / "payments.parquet"
        write_parquet(generate(SimulationSpec(seed=SEED, transactions=options.transactions)), path)
        print(f"{options.transactions:,} payments, {path.stat().st_size // MIB:,} MiB", flush=True)
        found = []
        for _ in range(options.repeats):
            found.append(in_a_process(path))
            print(json.dumps(found[-1]), flush=True)
    medians = {name: statistics.median(each[name] for each in found) for name in found[0]}
    result = facts() | {"transactions": options.transactions, "medians": medians, "repeats": found}
    options.output.write_text(json.dumps(result, indent=2) + "\n")


def in_a_process(path: Path) -> dict[str, float]:
    """One measurement, in a fresh process: memory that another left behind does not count."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(measured, (path,))


def measured(path: Path) -> dict[str, float]:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    exchange, recipe = load_exchange(None), Recipe()
    warm(exchange, recipe)
    began, cpu = time.perf_counter(), time.process_time()
    data = replay(FileSource([path]).slices(), exchange, recipe.names)
    features = {"features_s": time.perf_counter() - began, "features_cpu_s": time.process_time() - cpu}
    began, cpu = time.perf_counter(), time.process_time()
    model = fit(data, recipe, "benchmark")
    fitted = {"fit_s": time.perf_counter() - began, "fit_cpu_s": time.process_time() - cpu}
    assert 0 < model.review_threshold < 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {**features, **fitted, "rows": len(data), "peak_mib": peak}


def warm(exchange: Any, recipe: Recipe) -> None:
    """Load the kernels: they are compiled once a machine, and not once a replay."""
    fit(
        replay(SimulatedSource(SimulationSpec(seed=1, transactions=5_000)).slices(), exchange, recipe.names),
        recipe,
        "warm",
    )


if __name__ == "__main__":
    main()
