import hashlib
import json
from pathlib import Path

import pytest

from monitor.errors import ArtifactError, SettingsError
from monitor.registry.evaluations import Evaluation, record
from monitor.registry.mlflow_export import export
from monitor.resources import shipped
from monitor.versions import seal_of

SHIPPED = "lean-1"


@pytest.fixture
def tracking(tmp_path, monkeypatch):
    """A store of MLflow's own in a directory, which its lean package still knows; a server speaks through the same client."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    return f"file://{tmp_path}/mlruns"


def test_a_version_is_a_run_with_its_training_its_figures_its_seal_and_every_byte(tracking):
    from mlflow import MlflowClient

    models = shipped("models")
    manifest = json.loads((models / SHIPPED / "manifest.json").read_text())
    number = export(models, SHIPPED, tracking, "fraud", registered="monitor")
    client = MlflowClient(tracking_uri=tracking)
    run = client.get_run(number)
    assert (run.info.run_name, run.info.status) == (SHIPPED, "FINISHED")
    assert run.data.tags["monitor.seal"] == seal_of(models, SHIPPED)
    assert run.data.params["trees"] == str(manifest["training"]["trees"])
    measured = next(iter(manifest["metrics"].values()))
    assert run.data.metrics["average_precision"] == measured["average_precision"]
    assert run.data.metrics["review.recall"] == measured["review"]["recall"]
    assert {name for name in run.data.metrics if name.startswith("scenarios.")}
    logged = Path(run.info.artifact_uri.removeprefix("file://")) / "model"
    for path in (models / SHIPPED).iterdir():
        assert hashlib.sha256((logged / path.name).read_bytes()).digest() == hashlib.sha256(path.read_bytes()).digest()
    (version,) = client.search_model_versions("name='monitor'")
    assert version.run_id == number
    assert export(models, SHIPPED, tracking, "fraud", registered="monitor") != number, "each export is a run of its own"


def test_the_evaluation_on_record_goes_before_what_training_measured(models_dir, tracking):
    from mlflow import MlflowClient

    figures = {"average_precision": 0.25, "passed": True}
    record(models_dir, Evaluation("m-1", seal_of(models_dir, "m-1"), "ab" * 32, "", (), figures))
    number = export(models_dir, "m-1", tracking, "fraud")
    assert MlflowClient(tracking_uri=tracking).get_run(number).data.metrics == {"average_precision": 0.25}


def test_an_altered_version_and_a_server_that_is_away_are_errors_of_ours(models_dir, tracking):
    (models_dir / "m-1" / "card.md").write_text("better")
    with pytest.raises(ArtifactError, match=r"card\.md: SHA-256"):
        export(models_dir, "m-1", tracking, "fraud")
    with pytest.raises(ArtifactError, match="check --tracking-uri"):
        export(models_dir, "m-2", "nosuch://server", "fraud")


def test_without_the_extra_it_says_what_to_install(models_dir, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "mlflow", None)
    with pytest.raises(SettingsError, match=r"fraud-monitor\[mlflow\]"):
        export(models_dir, "m-1", "file:///nowhere", "fraud")
