"""`monitor models`: which versions there are, who approved them, which one is served (docs/registry.md)."""

import datetime as dt
import getpass
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Table

from monitor.artifacts import policy_of
from monitor.clock import SystemClock
from monitor.commands.elsewhere import add_mirroring, export_version
from monitor.errors import ArtifactError
from monitor.keys import PASSPHRASE, key_id, load_private, read_passphrase
from monitor.registry import history
from monitor.registry.approvals import Approval, approvers
from monitor.registry.approvals import approve as sign
from monitor.registry.evaluations import recorded
from monitor.registry.promotion import promote as promote_version
from monitor.registry.promotion import rollback as roll_back
from monitor.registry.promotion import standing
from monitor.scoring.artifact import CANDIDATE, CURRENT, current_version, load_model, seal_of, set_pointer
from monitor.sealed import check_whole
from monitor.settings import Settings, load_settings

READABLE = click.Path(path_type=Path, dir_okay=False, exists=True)
_CLOCK = SystemClock()

Function = TypeVar("Function", bound=Callable[..., Any])


def _who(function: Function) -> Function:
    for option in (
        click.option("--why", required=True, help="The reason, for the history and the auditor."),
        click.option("--who", default=getpass.getuser, show_default="you", help="Whose decision it is."),
    ):
        function = option(function)
    return function


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
    version = _named(settings, version)
    click.echo((settings.models_dir / version / "card.md").read_text(encoding="utf-8"))
    _tell_standing(settings, version)


@models.command()
@click.argument("version", default=CURRENT)
@click.pass_obj
def verify(config: Path | None, version: str) -> int:
    """Every byte against its digest, the golden rows against their scores, the approvals against the policy. Exit code 1 when one does not hold."""
    settings = load_settings(config)
    return _tell_standing(settings, _named(settings, version))


@models.command()
@click.argument("version")
@click.option(
    "--key", "key_file", required=True, type=READABLE, help="Your private key; monitor audit keygen makes one."
)
@click.option("--passphrase-file", type=READABLE, help=f"The key's passphrase; else {PASSPHRASE}, if set.")
@_who
@click.pass_obj
def approve(
    config: Path | None, version: str, key_file: Path, passphrase_file: Path | None, who: str, why: str
) -> None:
    """Put your key to a version: to these very bytes, and to the evaluation on record."""
    settings = load_settings(config)
    key = load_private(key_file, read_passphrase(passphrase_file))
    seal = check_whole(settings.models_dir / version)
    evaluation, digest = recorded(settings.models_dir, version, seal)
    if evaluation.failed:
        raise ArtifactError(f"{version}: its evaluation failed: {'; '.join(evaluation.failed)}; it cannot be approved")
    sign(settings.models_dir, Approval(version, seal, digest, who, why, _CLOCK.now_ms()), key)
    click.echo(f"{version} {seal}: approved by {who}, key {key_id(key.public_key())}")
    _tell_standing(settings, version)


@models.command()
@click.argument("version")
@_who
@click.pass_obj
def promote(config: Path | None, version: str, who: str, why: str) -> None:
    """Serve a version from now on: workers take it within artifacts_check_s, between two runs."""
    settings = load_settings(config)
    step = promote_version(settings.models_dir, version, policy_of(settings), who, why, _CLOCK.now_ms())
    click.echo(
        f"{version} is served now, after {step.before or 'nothing'}; approved by {', '.join(step.signers) or 'nobody: model_signers is not set'}"
    )


@models.command()
@_who
@click.pass_obj
def rollback(config: Path | None, who: str, why: str) -> None:
    """Serve again what was served before."""
    settings = load_settings(config)
    step = roll_back(settings.models_dir, policy_of(settings), who, why, _CLOCK.now_ms())
    click.echo(f"{step.version} is served again, after {step.before}")


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


@models.command("history")
@click.pass_obj
def tell_history(config: Path | None) -> None:
    """What was served when, on whose word, and why; each line holds the digest of the one before."""
    table = Table("when", "", "version", "after", "who", "why", "approved by", box=None, pad_edge=False)
    for step in history.steps(load_settings(config).models_dir):
        when = dt.datetime.fromtimestamp(step.time_ms / 1000, dt.UTC).strftime("%Y-%m-%d %H:%M")
        table.add_row(
            when, step.action, step.version, step.before or "-", step.who, step.why, ", ".join(step.signers) or "-"
        )
    Console(highlight=False).print(table)


def versions_of(models_dir: Path) -> list[str]:
    """Names of the directories that have a manifest."""
    return sorted(path.parent.name for path in models_dir.glob("*/manifest.json"))


def _named(settings: Settings, version: str) -> str:
    return current_version(settings.models_dir) if version == CURRENT else version


def _pointed(models_dir: Path, pointer: str) -> str:
    return current_version(models_dir, pointer) if os.path.lexists(models_dir / pointer) else ""


def _tell_standing(settings: Settings, version: str) -> int:
    found = standing(settings.models_dir, version, policy_of(settings))
    click.echo(f"{version}: seal {seal_of(settings.models_dir, version)}")
    if found.signers:
        click.echo(f"approved by {', '.join(found.signers)}")
    click.echo("\n".join(f"against it: {each}" for each in found.problems) or "fit to be served")
    return 1 if found.problems else 0


add_mirroring(models, lambda settings: settings.models_dir)
models.add_command(export_version)
