"""`monitor models push|pull|export`, `monitor risk push|pull`: a registry in an object store, and versions in MLflow."""

from collections.abc import Callable
from pathlib import Path

import click

from monitor.registry.mirror import Copied, Mirror, pull, push
from monitor.registry.mlflow_export import export
from monitor.settings import Settings, load_settings
from monitor.versions import CURRENT, current_version


def add_mirroring(group: click.Group, directory_of: Callable[[Settings], Path]) -> None:
    """Give `group` the commands `push` and `pull`, for what lies in the directory that `directory_of` takes from the settings."""

    @group.command("push")
    @click.argument("url")
    @click.pass_obj
    def push_there(config: Path | None, url: str) -> None:
        """Copy what is new here to URL (s3://bucket/models, gs://, file:///), each version whole or not at all."""
        _tell(push(directory_of(load_settings(config)), Mirror(url)))

    @group.command("pull")
    @click.argument("url")
    @click.pass_obj
    def pull_here(config: Path | None, url: str) -> None:
        """Copy what is new at URL to here, every byte checked against its version's sums."""
        _tell(pull(Mirror(url), directory_of(load_settings(config))))


@click.command("export")
@click.argument("version", default=CURRENT)
@click.option("--tracking-uri", required=True, envvar="MLFLOW_TRACKING_URI", help="Of the MLflow server.")
@click.option("--experiment", default="fraud-monitor", show_default=True)
@click.option("--register", "registered", help="Also make it a version of this registered model.")
@click.pass_obj
def export_version(
    config: Path | None, version: str, tracking_uri: str, experiment: str, registered: str | None
) -> None:
    """Log a version to MLflow: training, figures, seal, files. A copy to compare; workers are never served from it."""
    models_dir = load_settings(config).models_dir
    name = current_version(models_dir) if version == CURRENT else version
    click.echo(f"{name}: run {export(models_dir, name, tracking_uri, experiment, registered)} of {experiment}")


def _tell(copied: Copied) -> None:
    versions = ", ".join(copied.versions) or "no version"
    click.echo(
        f"{versions} copied, and {copied.records} other files (approvals, evaluations, the history, what is served)"
    )
