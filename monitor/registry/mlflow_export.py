"""A version as a run in MLflow, for teams that compare their models there. A copy to look at: workers are never served from it."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from monitor.errors import ArtifactError, SettingsError
from monitor.registry.evaluations import recorded
from monitor.scoring.artifact import load_model
from monitor.sealed import check_whole
from monitor.versions import seal_of

MAX_PARAM = 500
"""Characters of a parameter that every MLflow server takes."""

EXTRA = "MLflow is not installed: pip install 'fraud-monitor[mlflow]'"


def export(models_dir: Path, version: str, tracking_uri: str, experiment: str, registered: str | None = None) -> str:
    """Log `version` as a finished run of `experiment` and return the run's id: its training as parameters, what was measured as metrics, its seal as
    a tag, every file as artifacts. `registered`: also a model version of that name. Raises `ArtifactError` for a version that is not
    whole or a server that refuses, `SettingsError` without the extra.
    """
    os.environ.setdefault(
        "MLFLOW_DISABLE_TELEMETRY", "true"
    )  # nothing of this leaves for anywhere but the server named
    try:
        from mlflow import MlflowClient  # noqa: PLC0415 - an optional extra
        from mlflow.exceptions import MlflowException  # noqa: PLC0415
    except ImportError:
        raise SettingsError(EXTRA) from None
    check_whole(models_dir / version)
    manifest = load_model(models_dir, version).manifest
    seal = seal_of(models_dir, version)
    try:
        client = MlflowClient(tracking_uri=tracking_uri)
        known = client.get_experiment_by_name(experiment)
        number = known.experiment_id if known else client.create_experiment(experiment)
        tags = {"monitor.seal": seal, "monitor.version": version, "monitor.feature_set": manifest["feature_set_digest"]}
        run = client.create_run(number, run_name=version, tags=tags)
        for name, value in _params(manifest):
            client.log_param(run.info.run_id, name, value)
        for name, figure in _figures(_measured(models_dir, version, seal, manifest)):
            client.log_metric(run.info.run_id, name, figure)
        client.log_artifacts(run.info.run_id, str(models_dir / version), "model")
        client.set_terminated(run.info.run_id)
        if registered:
            _register(client, registered, f"{run.info.artifact_uri}/model", run.info.run_id)
    except (MlflowException, OSError) as error:
        raise ArtifactError(
            f"{tracking_uri}: {error}; check --tracking-uri, and that you may write experiment {experiment!r}"
        ) from None
    return str(run.info.run_id)


def _register(client: Any, name: str, source: str, run_id: str) -> None:
    if not any(each.name == name for each in client.search_registered_models()):
        client.create_registered_model(name)
    client.create_model_version(name, source, run_id)


def _params(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in manifest.get("training", {}).items():
        yield name, str(value)[:MAX_PARAM]
    for part in manifest["parts"]:
        yield f"{part['name']}.features", ", ".join(part["features"])[:MAX_PARAM]
    for name, value in manifest["thresholds"].items():
        yield f"threshold.{name}", repr(value)


def _measured(models_dir: Path, version: str, seal: str, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """The evaluation on record, if there is one; else what was measured when it was trained."""
    try:
        return recorded(models_dir, version, seal)[0].figures
    except ArtifactError:
        first: Mapping[str, Any] = next(iter(manifest.get("metrics", {}).values()), {})
        return first


def _figures(measured: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """All numbers, nested ones by dotted names; lists of named things by their names."""
    for name, value in measured.items():
        if isinstance(value, bool):
            continue
        if isinstance(value, (int, float)):
            yield f"{prefix}{name}", float(value)
        elif isinstance(value, Mapping):
            yield from _figures(value, f"{prefix}{name}.")
        elif isinstance(value, (list, tuple)):
            for each in value:
                if isinstance(each, Mapping) and "name" in each:
                    yield from _figures(each, f"{prefix}{name}.{each['name']}.")
