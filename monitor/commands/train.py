"""`monitor train`: fit a model on simulated payments and write it where the worker can load it."""

from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from monitor.learn.card import number, percent
from monitor.learn.evaluate import Evaluation
from monitor.learn.fit import BLOCK_RATE, DEFAULT_FEATURES, REVIEW_RATE, Recipe
from monitor.learn.train import train as train_model
from monitor.money.exchange import load_exchange
from monitor.resources import shipped
from monitor.scoring.artifact import set_current


@click.command()
@click.option("--transactions", "-n", default=200_000, show_default=True, help="Simulated payments to replay.")
@click.option("--seed", default=1, show_default=True, help="Of the simulation and of the forest.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Directory of models; default: the shipped one.",
)
@click.option(
    "--version", default=None, help="Name of the new version; default: lean-SEED-TRANSACTIONS. A version never changes."
)
@click.option(
    "--features", default=",".join(DEFAULT_FEATURES), show_default=True, help="Names of the catalogue, comma-separated."
)
@click.option(
    "--alert-rate",
    default=REVIEW_RATE,
    show_default=True,
    help="Share of training transactions that reach review.",
)
@click.option(
    "--block-rate",
    default=BLOCK_RATE,
    show_default=True,
    help="Share of training transactions that reach block.",
)
@click.option("--set-current", "serve", is_flag=True, help="Serve this version from now on.")
def train(
    transactions: int,
    seed: int,
    out: Path | None,
    version: str | None,
    features: str,
    alert_rate: float,
    block_rate: float,
    serve: bool,
) -> None:
    """Fit an isolation forest without labels, measure it on what came later and on another simulation, and save it."""
    console = Console(highlight=False)
    names = tuple(name.strip() for name in features.split(","))
    recipe = Recipe(features=names, seed=seed, review_rate=alert_rate, block_rate=block_rate)
    version = version or f"lean-{seed}-{transactions}"
    models_dir = out or shipped("models")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("replay", total=2 * transactions)

        def on_progress(phase: str, rows: int) -> None:
            progress.update(task, description=phase, advance=0 if phase == "fit" else rows)

        command = _command(transactions, recipe, version)
        trained = train_model(transactions, recipe, version, models_dir, load_exchange(None), command, on_progress)
    for title, figures in trained.evaluations.items():
        console.print(
            f"\n{figures.transactions:,} transactions, {title}: ROC AUC {number(figures.roc_auc)}, average precision {number(figures.average_precision)}"
        )
        console.print(_table(figures))
    console.print(f"\n{trained.directory}")
    if serve:
        set_current(models_dir, version)
        console.print(f"{models_dir / 'current'} names {version} now")


def _command(transactions: int, recipe: Recipe, version: str) -> str:
    return (
        f"monitor train --transactions {transactions} --seed {recipe.seed} --version {version} "
        f"--features {','.join(recipe.features)} --alert-rate {recipe.review_rate} --block-rate {recipe.block_rate}"
    )


def _table(figures: Evaluation) -> Table:
    table = Table("", "transactions", "alerts", "precision", "recall", "incidents caught", box=None, pad_edge=False)
    for name, at in (("review", figures.review), ("block", figures.block)):
        caught = f"{figures.incidents_caught} of {figures.incidents}" if name == "review" else ""
        table.add_row(
            name, f"{figures.transactions:,}", percent(at.alert_rate), percent(at.precision), percent(at.recall), caught
        )
    for each in figures.scenarios:
        table.add_row(
            each.name,
            f"{each.transactions:,}",
            "",
            "",
            percent(each.recall),
            f"{each.incidents_caught} of {each.incidents}",
        )
    return table
