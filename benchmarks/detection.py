"""How well each kind of model finds the simulator's frauds, on seeds that nothing was chosen on, with labels that come late.

python -m benchmarks.detection [--seeds 20] [--page]

Each seed is a simulation of its own, backtested once (`monitor/learn/backtest.py`): trained on the first half of the time, judged from `DELAY_DAYS` later on.
Intervals are over seeds. `--page` puts the tables into docs/detection.md.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import facts
from benchmarks.markers import between
from monitor.learn.backtest import METHODS, Plan, backtest, features_needed, interval
from monitor.learn.choice import CANDIDATES
from monitor.learn.fit import Recipe
from monitor.learn.sources import SimulatedSource
from monitor.learn.train import prepared
from monitor.money.exchange import load_exchange
from monitor.simulate.spec import SimulationSpec
from monitor.state.layout import DAY_MS

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "benchmarks" / "results" / "detection.json"
PAGE = ROOT / "docs" / "detection.md"
FIRST_SEED, DELAY_DAYS, DAYS = 1_001, 7, 90
FIGURES = ("roc_auc", "average_precision", "card_precision", "precision", "recall")
HEADS = ("ROC AUC", "average precision", "card precision@100", "precision", "recall")


def main() -> None:
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--transactions", type=int, default=120_000)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--page", action="store_true")
    options = parser.parse_args()
    tried: list[dict[str, Any]] = []
    for seed in range(FIRST_SEED, FIRST_SEED + options.seeds):
        tried += of_seed(seed, options.transactions)
        print(
            f"seed {seed}: "
            + ", ".join(f"{each['method']} {each['average_precision']:.3f}" for each in tried[-len(METHODS) :]),
            flush=True,
        )
    result = facts() | {"transactions": options.transactions, "days": DAYS, "delay_days": DELAY_DAYS, "tried": tried}
    options.output.write_text(json.dumps(result, indent=1) + "\n")
    if options.page:
        PAGE.write_text(between(PAGE.read_text(), "detection", table(result)))


def of_seed(seed: int, transactions: int) -> list[dict[str, Any]]:
    """The figures of each method on one simulation."""
    recipe = Recipe(features=CANDIDATES, automatic=True, seed=seed, label_delay_ms=DELAY_DAYS * DAY_MS)
    plan = Plan(folds=1, seeds=(seed,))
    source = SimulatedSource(SimulationSpec(seed=seed, transactions=transactions, days=DAYS))
    data = prepared(source, features_needed(recipe, plan), recipe.label_delay_ms, load_exchange(None))
    return [
        {
            "seed": seed,
            "method": each.method,
            **{name: getattr(each.quality, name) for name in FIGURES},
            "recalls": {group.name: [group.caught, group.fraud] for group in each.quality.scenarios},
        }
        for each in backtest(data, recipe, plan)
    ]


def table(result: dict[str, Any]) -> str:
    """Two Markdown tables: figures a method, and recall a kind of fraud and method."""
    tried = result["tried"]
    seeds = sorted({each["seed"] for each in tried})
    lines = [
        f"{len(seeds)} seeds ({seeds[0]} to {seeds[-1]}) of {result['transactions']:,} payments in {result['days']} days, labels {result['delay_days']} days late; "
        f"means with their 95 % intervals over seeds; commit {result['commit']}.",
        "",
        row(["", *HEADS]),
        row(["---"] * (len(HEADS) + 1)),
    ]
    for method in METHODS:
        mine = [each for each in tried if each["method"] == method]
        lines.append(row([method, *(spread([each[name] for each in mine]) for name in FIGURES)]))
    names = sorted({name for each in tried for name in each["recalls"]})
    lines += ["", row(["recall of", *METHODS]), row(["---"] * (len(METHODS) + 1))]
    for name in names:
        lines.append(
            row(
                [
                    f"`{name}`",
                    *(
                        share([each["recalls"].get(name, [0, 0]) for each in tried if each["method"] == method])
                        for method in METHODS
                    ),
                ]
            )
        )
    return "\n".join(lines) + "\n"


def row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def spread(values: Sequence[float | None]) -> str:
    found = interval(values)
    return "-" if found is None else f"{found.mean:.3f} ± {found.half_width:.3f}"


def share(counts: Sequence[Sequence[int]]) -> str:
    caught, fraud = (sum(each[at] for each in counts) for at in (0, 1))
    return f"{caught / fraud:.0%}" if fraud else "-"


if __name__ == "__main__":
    main()
