"""`approve`, `promote`, `rollback`, `verify`, `history`: the commands of whatever is served by version, on people's word."""

import datetime as dt
import getpass
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Table

from monitor.clock import SystemClock
from monitor.errors import ArtifactError
from monitor.keys import PASSPHRASE, key_id, load_private, read_passphrase
from monitor.registry import history
from monitor.registry.approvals import Approval
from monitor.registry.approvals import approve as sign
from monitor.registry.evaluations import recorded
from monitor.registry.promotion import Registry, promote, rollback, standing
from monitor.sealed import check_whole
from monitor.settings import Settings, load_settings
from monitor.versions import CURRENT, current_version, seal_of

READABLE = click.Path(path_type=Path, dir_okay=False, exists=True)
_CLOCK = SystemClock()

RegistryOf = Callable[[Settings], Registry]
Function = TypeVar("Function", bound=Callable[..., Any])


def add_promotion(group: click.Group, registry_of: RegistryOf) -> None:
    """Give `group` the commands, for the versions of the registry that `registry_of` makes of the settings."""
    _add_approve(group, registry_of)
    _add_serving(group, registry_of)
    _add_looking(group, registry_of)


def _who(function: Function) -> Function:
    for option in (
        click.option("--why", required=True, help="The reason, for the history and the auditor."),
        click.option("--who", default=getpass.getuser, show_default="you", help="Whose decision it is."),
    ):
        function = option(function)
    return function


def _add_approve(group: click.Group, registry_of: RegistryOf) -> None:
    @group.command()
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
        """Put your key to a version: to these very bytes, and to the evaluation on record where there must be one."""
        registry = registry_of(load_settings(config))
        key = load_private(key_file, read_passphrase(passphrase_file))
        seal = check_whole(registry.directory / version)
        digest = _passed(registry, version, seal) if registry.evaluated else ""
        sign(registry.directory, Approval(version, seal, digest, who, why, _CLOCK.now_ms(), registry.policy.kind), key)
        click.echo(f"{version} {seal}: approved by {who}, key {key_id(key.public_key())}")
        tell_standing(registry, version)


def _add_serving(group: click.Group, registry_of: RegistryOf) -> None:
    @group.command("promote")
    @click.argument("version")
    @_who
    @click.pass_obj
    def promote_version(config: Path | None, version: str, who: str, why: str) -> None:
        """Serve a version from now on: workers take it within artifacts_check_s, between two runs."""
        registry = registry_of(load_settings(config))
        step = promote(registry, version, who, why, _CLOCK.now_ms())
        nobody = f"nobody: {registry.policy.kind}_signers is not set"
        click.echo(
            f"{version} is served now, after {step.before or 'nothing'}; approved by {', '.join(step.signers) or nobody}"
        )

    @group.command("rollback")
    @_who
    @click.pass_obj
    def roll_back(config: Path | None, who: str, why: str) -> None:
        """Serve again what was served before."""
        step = rollback(registry_of(load_settings(config)), who, why, _CLOCK.now_ms())
        click.echo(f"{step.version} is served again, after {step.before}")


def _add_looking(group: click.Group, registry_of: RegistryOf) -> None:
    @group.command()
    @click.argument("version", default=CURRENT)
    @click.pass_obj
    def verify(config: Path | None, version: str) -> int:
        """Every byte against its digest, what it checks of itself, the approvals against the policy. Exit code 1 when one does not hold."""
        registry = registry_of(load_settings(config))
        return tell_standing(registry, named(registry, version))

    @group.command("history")
    @click.pass_obj
    def tell_history(config: Path | None) -> None:
        """What was served when, on whose word, and why; each line holds the digest of the one before."""
        table = Table("when", "", "version", "after", "who", "why", "approved by", box=None, pad_edge=False)
        for step in history.steps(registry_of(load_settings(config)).directory):
            when = dt.datetime.fromtimestamp(step.time_ms / 1000, dt.UTC).strftime("%Y-%m-%d %H:%M")
            table.add_row(
                when, step.action, step.version, step.before or "-", step.who, step.why, ", ".join(step.signers) or "-"
            )
        Console(highlight=False).print(table)


def named(registry: Registry, version: str) -> str:
    """The version, or the one that is served if it says `current`."""
    return current_version(registry.directory) if version == CURRENT else version


def tell_standing(registry: Registry, version: str) -> int:
    """Say how a version stands; 1 when something speaks against it."""
    found = standing(registry, version)
    click.echo(f"{version}: seal {seal_of(registry.directory, version)}")
    if found.signers:
        click.echo(f"approved by {', '.join(found.signers)}")
    click.echo("\n".join(f"against it: {each}" for each in found.problems) or "fit to be served")
    return 1 if found.problems else 0


def _passed(registry: Registry, version: str, seal: str) -> str:
    """The digest of the evaluation on record. Raises `ArtifactError` for one that failed."""
    evaluation, digest = recorded(registry.directory, version, seal)
    if evaluation.failed:
        raise ArtifactError(f"{version}: its evaluation failed: {'; '.join(evaluation.failed)}; it cannot be approved")
    return digest
