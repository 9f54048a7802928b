"""`monitor train`: fit a model on payments and write it where the worker can load it."""

from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from monitor.commands.learning import Chosen, beside_option, recipe_of, recipe_options, recipe_words, source_options
from monitor.commands.progress import watched
from monitor.errors import SettingsError
from monitor.learn.card import number, percent
from monitor.learn.evaluate import Evaluation
from monitor.learn.train import FITTED
from monitor.learn.train import train as train_model
from monitor.money.exchange import load_exchange
from monitor.resources import shipped
from monitor.scoring.artifact import set_current


@click.command()
@source_options
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Directory of models; default: the shipped one.",
)
@click.option(
    "--version",
    default=None,
    help="Name of the new version; default: lean-SEED-TRANSACTIONS for a simulation. A version never changes.",
)
@beside_option
@recipe_options
@click.option(
    "--set-current",
    "serve",
    is_flag=True,
    help="Serve this version from now on, unevaluated and unapproved: for development.",
)
@click.pass_obj
def train(
    config: Path | None,
    /,
    chosen: Chosen,
    out: Path | None,
    version: str | None,
    beside: tuple[str, ...],
    serve: bool,
    **given: Any,
) -> None:
    """Fit an isolation forest, and beside it what labels say, measure it on what came later, and save it."""
    console = Console(highlight=False)
    recipe = recipe_of(chosen, given, beside)
    models_dir = out or shipped("models")
    version = version or _name(chosen)
    command = f"monitor train {chosen.words()} --seed {chosen.seed} --version {version} {recipe_words(recipe)}"
    with chosen.sources(config) as sources, watched(console, sources) as told:
        first, *others = sources
        trained = train_model(
            first,
            recipe,
            version,
            models_dir,
            load_exchange(None),
            command,
            others,
            lambda phase, rows: told(phase, 0 if phase == FITTED else rows),
        )
    for title, figures in trained.evaluations.items():
        console.print(
            f"\n{figures.transactions:,} transactions, {title}: ROC AUC {number(figures.roc_auc)}, average precision {number(figures.average_precision)}"
        )
        console.print(_table(figures))
    console.print(f"\n{trained.directory}")
    if serve:
        set_current(models_dir, version)
        console.print(f"{models_dir / 'current'} names {version} now")


def _name(chosen: Chosen) -> str:
    if chosen.files or chosen.from_topic:
        raise SettingsError("version: none given; name the model of your own data with --version, for example 2026-11")
    return f"lean-{chosen.seed}-{chosen.transactions}"


def _table(figures: Evaluation) -> Table:
    table = Table("", "transactions", "alerts", "precision", "recall", "incidents caught", box=None, pad_edge=False)
    for name, at in (("review", figures.review), ("block", figures.block)):
        caught = f"{figures.incidents_caught} of {figures.incidents}" if name == "review" else ""
        table.add_row(
            name, f"{figures.transactions:,}", percent(at.alert_rate), percent(at.precision), percent(at.recall), caught
        )
    for each in figures.scenarios:
        if each.transactions:
            table.add_row(
                each.name,
                f"{each.transactions:,}",
                "",
                "",
                percent(each.recall),
                f"{each.incidents_caught} of {each.incidents}",
            )
    return table
