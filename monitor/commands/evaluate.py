"""`monitor evaluate`: how good a model is on payments, alone or against the one that is served."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from monitor.commands.learning import Chosen, source_options
from monitor.commands.progress import watched
from monitor.errors import ArtifactError, DatasetError
from monitor.learn.card import number, percent
from monitor.learn.dataset import Dataset
from monitor.learn.duel import Disagreement, Duel, Measured, duel, without_compromised
from monitor.learn.fit import REVIEW_RATE
from monitor.learn.moments import moment_ms
from monitor.learn.report import evaluation_page
from monitor.learn.sources import Source, identified
from monitor.learn.tabulate import COLUMNS
from monitor.learn.train import prepared
from monitor.money.exchange import load_exchange
from monitor.registry.evaluations import Evaluation, record
from monitor.scoring.artifact import load_model
from monitor.scoring.model import Model
from monitor.settings import load_settings
from monitor.state.layout import DAY_MS
from monitor.versions import CURRENT


@click.command()
@source_options
@click.option("--model", "version", required=True, help="The version to evaluate.")
@click.option("--against", default=CURRENT, show_default=True, help="The champion; `none` for nobody.")
@click.option(
    "--models",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory of models; default: the setting models_dir.",
)
@click.option(
    "--measure-from",
    help="Measure payments from this time on only; those before give accounts their past. Default: the end of the training.",
)
@click.option(
    "--alert-rate", default=REVIEW_RATE, show_default=True, help="Alert budget at which precision and recall are given."
)
@click.option("--label-delay", default=7.0, show_default=True, help="Days that labels take to come.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write an HTML page with plots.")
@click.option("--json", "figures", type=click.Path(dir_okay=False, path_type=Path), help="Write all figures.")
@click.option("--record", "recorded", is_flag=True, help="Put it on record beside the model: a promotion wants that.")
@click.pass_obj
def evaluate(
    config: Path | None,
    /,
    chosen: Chosen,
    version: str,
    against: str,
    models: Path | None,
    measure_from: str | None,
    alert_rate: float,
    label_delay: float,
    report: Path | None,
    figures: Path | None,
    recorded: bool,
) -> int:
    """Replay payments, score them with a model and with the champion, and compare. Exit code 1 when something speaks against the model."""
    console = Console(highlight=False)
    models_dir = models or load_settings(config).models_dir
    model, champion = load_model(models_dir, version), _champion(models_dir, version, against)
    with chosen.sources(config) as (source, *_):
        with watched(console, [source]) as told:
            data = _data(source, [model, *([champion] if champion else [])], label_delay, partial(told, source.title))
        found = duel(model, champion, _later(data, measure_from, model), alert_rate)
        names = identified(source, [each.row for each in found.shown])
    _tell(console, found, names)
    if figures:
        figures.write_text(json.dumps(found.figures(), indent=1) + "\n")
    if report:
        report.write_text(evaluation_page(found, names), encoding="utf-8")
        console.print(f"\n{report}")
    if recorded:
        opponent = "" if champion is None else champion.version
        evaluation = Evaluation(version, model.seal, data.digest, opponent, found.failed, found.figures())
        console.print(f"\n{record(models_dir, evaluation)[0]}")
    return 1 if found.failed else 0


def _tell(console: Console, found: Duel, names: dict[int, tuple[str, str]]) -> None:
    console.print(_table(found.both))
    if found.champion is not None:
        champion = found.champion.model.version
        console.print(
            f"\n{found.differ:,} of {len(found.data):,} payments are decided otherwise by {champion}; furthest apart:"
        )
        console.print(_differences(found.shown[:10], names, found.champion))
    against = "\n".join(f"against it: {each}" for each in found.failed)
    console.print("\n" + (against or f"nothing speaks against {found.challenger.model.version}"))


def _champion(models_dir: Path, version: str, against: str) -> Model | None:
    if against == "none":
        return None
    try:
        champion = load_model(models_dir, against)
    except ArtifactError:
        if against != CURRENT:
            raise
        return None  # nothing is served yet
    return None if champion.version == version else champion


def _data(source: Source, models: list[Model], label_delay: float, told: Callable[[int], None]) -> Dataset:
    names = tuple(dict.fromkeys(name for model in models for name in model.features))
    return prepared(source, names, round(label_delay * DAY_MS), load_exchange(None), told)


def _later(data: Dataset, measure_from: str | None, model: Model) -> Dataset:
    """What to measure on: from `measure_from` on; by default what is later than the model's training, if it was trained on a time before these payments end."""
    trained_to = model.manifest.get("training", {}).get("to_ms", 0)
    from_ms = moment_ms(measure_from, "--measure-from") if measure_from else trained_to
    _, later = without_compromised(data).split(from_ms)
    if not len(later):
        raise DatasetError(
            f"payments: none after {'--measure-from' if measure_from else 'the time that ' + model.version + ' was trained on'}; "
            "give later ones, or an earlier --measure-from"
        )
    return later


def _table(found: list[Measured]) -> Table:
    table = Table("at the alert budget", *(column.title for column in COLUMNS), box=None, pad_edge=False)
    for each in found:
        values = (column.of(each.quality) for column in COLUMNS)
        texts = (
            "-" if value is None else column.form.format(value) for column, value in zip(COLUMNS, values, strict=True)
        )
        table.add_row(each.model.version, *texts)
    for each in found:
        at = each.evaluation.review
        table.add_row(
            f"{each.model.version}, from its own {at.threshold:.4f}",
            "",
            "",
            "",
            percent(at.precision),
            percent(at.recall),
            percent(at.alert_rate),
        )
    return table


def _differences(shown: list[Disagreement], names: dict[int, tuple[str, str]], champion: Measured) -> Table:
    table = Table(
        "transaction", "account", "fraud", "amount", "decided", f"by {champion.model.version}", box=None, pad_edge=False
    )
    for each in shown:
        transaction, account = names[each.row]
        table.add_row(
            transaction,
            account,
            "yes" if each.fraud else "",
            f"{each.amount / 100:,.2f}",
            f"{each.outcome} ({number(each.score)})",
            f"{each.champion_outcome} ({number(each.champion_score)})",
        )
    return table
