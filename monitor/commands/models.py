"""`monitor models`: which versions there are, who approved them, which one is served (docs/registry.md)."""

import datetime as dt
import os
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from monitor.artifacts import model_registry
from monitor.commands.elsewhere import add_mirroring, export_version
from monitor.commands.promoting import add_promotion, named, tell_standing
from monitor.errors import ArtifactError
from monitor.registry.approvals import approvers
from monitor.registry.thresholds import with_thresholds
from monitor.scoring.artifact import load_model
from monitor.settings import load_settings
from monitor.versions import CANDIDATE, CURRENT, current_version, set_pointer


@click.group()
def models() -> None:
    """Versions of models: each a sealed directory, served only once it has been evaluated and approved."""


@models.command("list")
@click.pass_obj
def list_versions(config: Path | None) -> None:
    """All versions, what each is, who approved it, and which one is served."""
    models_dir = load_settings(config).models_dir
    current, candidate = (_pointed(models_dir, pointer) for pointer in (CURRENT, CANDIDATE))
    table = Table(
        "version", "", "trained until", "average precision", "features", "approvals", box=None, pad_edge=False
    )
    for version in versions_of(models_dir):
        marks = [word for word, named in (("served", current), ("candidate", candidate)) if named == version]
        try:
            manifest = load_model(models_dir, version).manifest
        except ArtifactError as error:
            table.add_row(version, "refused", str(error).split(";")[0])
            continue
        until = manifest.get("training", {}).get("to_ms")
        when = dt.datetime.fromtimestamp(until / 1000, dt.UTC).strftime("%Y-%m-%d") if until else "-"
        measured = [each.get("average_precision") for each in manifest.get("metrics", {}).values()]
        precision = f"{measured[0]:.3f}" if measured and measured[0] is not None else "-"
        names = ", ".join(f"{part['name']} {len(part['features'])}" for part in manifest["parts"])
        table.add_row(version, " ".join(marks), when, precision, names, str(len(approvers(models_dir, version))))
    Console(highlight=False).print(table)


@models.command()
@click.argument("version", default=CURRENT)
@click.pass_obj
def show(config: Path | None, version: str) -> None:
    """The card of a version, its seal, and how it stands."""
    settings = load_settings(config)
    registry = model_registry(settings)
    version = named(registry, version)
    click.echo((settings.models_dir / version / "card.md").read_text(encoding="utf-8"))
    tell_standing(registry, version)


@models.command()
@click.argument("version")
@click.pass_obj
def candidate(config: Path | None, version: str) -> None:
    """Let a version score beside the one that is served, without acting; `none` ends it."""
    models_dir = load_settings(config).models_dir
    if version == "none":
        (models_dir / CANDIDATE).unlink(missing_ok=True)
        click.echo("no candidate")
        return
    load_model(models_dir, version)
    set_pointer(models_dir, CANDIDATE, version)
    click.echo(f"{version} scores beside {_pointed(models_dir, CURRENT) or 'nothing'}")


THRESHOLD = click.FloatRange(0, 1, min_open=True)


@models.command()
@click.argument("version")
@click.option("--review", type=THRESHOLD, required=True, help="The least score that is reviewed.")
@click.option("--block", type=THRESHOLD, help="The least score that is blocked; default: the version's own.")
@click.option("--as", "name", required=True, help="Name of the new version.")
@click.pass_obj
def thresholds(config: Path | None, version: str, review: float, block: float | None, name: str) -> None:
    """The same model with other thresholds, as a new version: to be evaluated, approved and promoted like any other."""
    models_dir = load_settings(config).models_dir
    version = current_version(models_dir) if version == CURRENT else version
    directory = with_thresholds(models_dir, version, review, block, name)
    made = load_model(models_dir, name)
    click.echo(
        f"{directory}: {version}, review from {made.review_threshold:.6f}, block from {made.block_threshold:.6f}"
    )


def versions_of(models_dir: Path) -> list[str]:
    """Names of the directories that have a manifest."""
    return sorted(path.parent.name for path in models_dir.glob("*/manifest.json"))


def _pointed(models_dir: Path, pointer: str) -> str:
    return current_version(models_dir, pointer) if os.path.lexists(models_dir / pointer) else ""


add_promotion(models, model_registry)
add_mirroring(models, lambda settings: settings.models_dir)
models.add_command(export_version)
