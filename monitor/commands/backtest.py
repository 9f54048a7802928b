"""`monitor backtest`: how good models would have been, had they been fitted at moments of the past."""

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from monitor.commands.learning import Chosen, recipe_of, recipe_options, source_options
from monitor.commands.progress import watched
from monitor.learn.backtest import METHODS, Plan, Tried, features_needed
from monitor.learn.backtest import backtest as run_backtest
from monitor.learn.backtest import folds as cut_folds
from monitor.learn.dataset import Dataset
from monitor.learn.moments import day_text
from monitor.learn.report import backtest_page
from monitor.learn.tabulate import COLUMNS, groups, lines
from monitor.learn.train import prepared
from monitor.money.exchange import load_exchange


@click.command()
@source_options
@click.option(
    "--folds", default=2, show_default=True, help="Tests, one behind the other; the models of each are fitted anew."
)
@click.option(
    "--seeds",
    default=3,
    show_default=True,
    help="Models of each fold, of seeds from --seed on; intervals are over them and the folds.",
)
@click.option("--test-days", type=int, help="Length of a test; default: what is left of the time, in equal parts.")
@click.option(
    "--method",
    "methods",
    multiple=True,
    type=click.Choice(METHODS),
    help="Only this one; may be repeated. Default: all.",
)
@recipe_options
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write an HTML page with plots.")
@click.option("--json", "figures", type=click.Path(dir_okay=False, path_type=Path), help="Write all figures.")
@click.pass_obj
def backtest(
    config: Path | None,
    /,
    chosen: Chosen,
    folds: int,
    seeds: int,
    test_days: int | None,
    methods: tuple[str, ...],
    report: Path | None,
    figures: Path | None,
    **given: Any,
) -> None:
    """Train on what was known, wait as long as labels take, test on what came then, and again further on.

    Baselines stand beside our methods: the amount alone, a forest on textbook features, and rules. Payments of accounts whose fraud
    was known before the day leave the test.
    """
    console = Console(highlight=False)
    recipe = recipe_of(chosen, given)
    plan = Plan(folds, tuple(range(chosen.seed, chosen.seed + seeds)), test_days, methods or METHODS)
    with chosen.sources(config) as (source, *_), watched(console, [source]) as told:
        data = prepared(
            source,
            features_needed(recipe, plan),
            recipe.label_delay_ms,
            load_exchange(None),
            partial(told, source.title),
        )
        found = run_backtest(data, recipe, plan, lambda what: told(what, 0))
    command = f"monitor backtest {chosen.words()} --seed {chosen.seed} --folds {folds} --seeds {seeds}"
    about = _about(data.digest, len(data), _cut(data, recipe.label_delay_ms, plan), command)
    console.print(_table(found))
    for which in ("rails", "scenarios"):
        if groups(found, which):
            console.print(_groups(found, which))
    if figures:
        figures.write_text(json.dumps({**about, "tried": [asdict(each) for each in found]}, indent=1) + "\n")
        console.print(f"\n{figures}")
    if report:
        report.write_text(backtest_page(found, about), encoding="utf-8")
        console.print(f"\n{report}")


def _cut(data: Dataset, delay_ms: int, plan: Plan) -> list[dict[str, str]]:
    return [
        {
            "train_to": day_text(each.train_to_ms),
            "test_from": day_text(each.test_from_ms),
            "test_to": day_text(each.test_to_ms),
        }
        for each in cut_folds(data, delay_ms, plan)
    ]


def _about(digest: str, payments: int, cut: list[dict[str, str]], command: str) -> dict[str, Any]:
    return {"command": command, "payments": payments, "data_sha256": digest, "folds": cut}


def _table(found: list[Tried]) -> Table:
    table = Table("", *(column.title for column in COLUMNS), box=None, pad_edge=False)
    for method, values in lines(found):
        table.add_row(method, *(column.text(value) for column, value in zip(COLUMNS, values, strict=True)))
    return table


def _groups(found: list[Tried], which: str) -> Table:
    """Recall by rail, or by kind of fraud."""
    methods = [method for method in METHODS if any(each.method == method for each in found)]
    table = Table(f"\nrecall by {which[:-1]}", *(f"\n{method}" for method in methods), box=None, pad_edge=False)
    for name, recalls in groups(found, which).items():
        table.add_row(name, *("-" if recalls.get(each) is None else f"{recalls[each]:.1%}" for each in methods))
    return table
