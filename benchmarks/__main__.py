"""`python -m benchmarks`: measures, prints a table, and writes benchmarks/results/stages.json."""

import argparse
import json
import logging
from pathlib import Path

from benchmarks.machine import facts
from benchmarks.stages import STAGES, measure

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="make stages", description="What each stage costs, in microseconds a record, on one core."
    )
    parser.add_argument("--records", type=int, default=200_000, help="simulated transactions a case (default 200000)")
    parser.add_argument("--seed", type=int, default=1, help="of the simulation (default 1)")
    parser.add_argument("--output", type=Path, default=RESULTS / "stages.json", help="where the figures go")
    options = parser.parse_args()
    logging.disable(logging.ERROR)  # a missing model is said in the table
    result = facts() | measure(options.records, options.seed)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=2) + "\n")
    columns = [stage.value for stage in STAGES] + ["all"]
    print(f"{'microseconds a record':<46}" + "".join(f"{name:>9}" for name in columns) + f"{'records/s':>12}")
    for name, case in result["cases"].items():
        print(
            f"{name:<46}"
            + "".join(f"{case['microseconds_a_record'][c]:>9.2f}" for c in columns)
            + f"{case['records_a_second']:>12,}"
        )
    look = result["observing"]
    most = max(look["stage_histogram_share"].values())
    print(
        f"the histogram of stages: {look['stage_histogram_us_a_run']} us a run, at most {most:.2%}; all metrics: {look['all_metrics_us_a_run']} us"
    )
    print(
        f"model: {result['model']}; {result['machine']['processor']}; commit {result['commit']}; figures in {options.output}"
    )


if __name__ == "__main__":
    main()
