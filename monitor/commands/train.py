"""`monitor train`: fit a model on payments and write it where the worker can load it."""

from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from monitor.errors import SettingsError
from monitor.learn.card import number, percent
from monitor.learn.evaluate import Evaluation
from monitor.learn.fit import BLOCK_RATE, DEFAULT_FEATURES, REVIEW_RATE, Recipe
from monitor.learn.sources import FileSource, SimulatedSource, Source
from monitor.learn.train import FITTED, Trained
from monitor.learn.train import train as train_model
from monitor.money.exchange import load_exchange
from monitor.resources import shipped
from monitor.scoring.artifact import set_current
from monitor.simulate.spec import SimulationSpec

SEED_STEP = 1
"""A model of a simulation is measured on that of the next seed too."""


@click.command()
@click.option(
    "--from",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Parquet or CSV of payments, or a directory of them (docs/data.md); may be repeated.",
)
@click.option("--transactions", "-n", default=200_000, show_default=True, help="Simulated payments, without --from.")
@click.option("--seed", default=1, show_default=True, help="Of the forest, and of the simulation.")
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
@click.option(
    "--features", default=",".join(DEFAULT_FEATURES), show_default=True, help="Names of the catalogue, comma-separated."
)
@click.option(
    "--alert-rate", default=REVIEW_RATE, show_default=True, help="Share of training transactions that reach review."
)
@click.option(
    "--block-rate", default=BLOCK_RATE, show_default=True, help="Share of training transactions that reach block."
)
@click.option("--set-current", "serve", is_flag=True, help="Serve this version from now on.")
def train(
    files: tuple[Path, ...],
    transactions: int,
    seed: int,
    out: Path | None,
    version: str | None,
    features: str,
    alert_rate: float,
    block_rate: float,
    serve: bool,
) -> None:
    """Fit an isolation forest without labels, measure it on what came later, and save it."""
    console = Console(highlight=False)
    names = tuple(name.strip() for name in features.split(","))
    recipe = Recipe(features=names, seed=seed, review_rate=alert_rate, block_rate=block_rate)
    models_dir = out or shipped("models")
    version = version or _name(files, seed, transactions)
    sources = _sources(files, seed, transactions)
    given = " ".join(f"--from {path}" for path in files) or f"--transactions {transactions}"
    trained = _watched(
        console, sources, recipe, version, models_dir, f"monitor train {given} {_options(recipe, version)}"
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


def _name(files: tuple[Path, ...], seed: int, transactions: int) -> str:
    if files:
        raise SettingsError("version: none given; name the model of your own data with --version, for example 2026-11")
    return f"lean-{seed}-{transactions}"


def _sources(files: tuple[Path, ...], seed: int, transactions: int) -> list[Source]:
    """The first to learn from, the others to measure on."""
    if files:
        return [FileSource(files)]
    return [SimulatedSource(SimulationSpec(seed=each, transactions=transactions)) for each in (seed, seed + SEED_STEP)]


def _watched(
    console: Console, sources: list[Source], recipe: Recipe, version: str, models_dir: Path, command: str
) -> Trained:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("replay", total=sum(source.rows for source in sources))

        def on_progress(phase: str, rows: int) -> None:
            progress.update(task, description=phase, advance=0 if phase == FITTED else rows)

        first, *others = sources
        return train_model(first, recipe, version, models_dir, load_exchange(None), command, others, on_progress)


def _options(recipe: Recipe, version: str) -> str:
    return (
        f"--seed {recipe.seed} --version {version} "
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
