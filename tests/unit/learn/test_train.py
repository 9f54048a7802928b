import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from monitor.commands.train import train as train_command
from monitor.errors import ArtifactError, SettingsError
from monitor.learn.fit import Recipe
from monitor.learn.sources import SimulatedSource
from monitor.learn.train import train
from monitor.resources import shipped
from monitor.scoring.artifact import load_model
from monitor.simulate.files import write_parquet
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate
from monitor.state import layout

SMALL = Recipe(trees=10, samples=256, seed=5)
SPEC = SimulationSpec(seed=5, transactions=3_000)


def test_a_trained_model_is_on_disk_and_says_where_it_comes_from(tmp_path, exchange):
    heard = {}

    def on_progress(phase, rows):
        heard[phase] = heard.get(phase, 0) + rows

    spec = SimulationSpec(seed=5, transactions=6_000)
    sources = [SimulatedSource(each) for each in (spec, replace(spec, seed=6))]
    trained = train(sources[0], SMALL, "v1", tmp_path, exchange, "monitor train ...", sources[1:], on_progress)
    loaded = load_model(tmp_path, "v1")
    manifest = loaded.manifest
    assert loaded.review_threshold == trained.model.review_threshold
    assert manifest["training"]["seed"] == 5
    assert manifest["training"]["rows"] == heard.pop("fit") < 6_000
    assert heard == {source.title: 6_000 for source in sources}
    assert manifest["exchange"]["version"] == exchange.version
    assert manifest["layout_version"] == layout.VERSION
    assert set(manifest["libraries"]) == {"python", "numpy", "scikit-learn", "numba"}
    assert len(manifest["metrics"]) == len(trained.evaluations) == 2
    assert loaded.percentiles.names == loaded.features
    assert (loaded.percentiles.rows == manifest["training"]["rows"]).all()
    card = (trained.directory / "card.md").read_text()
    assert "monitor train ..." in card
    assert all(name in card for name in loaded.features)


def test_training_again_gives_the_same_bytes(tmp_path, exchange):
    for place in ("a", "b"):
        train(SimulatedSource(SPEC), SMALL, "v", tmp_path / place, exchange, "c")
    for name in ("manifest.json", "forest.npz", "card.md"):
        assert (tmp_path / "a/v" / name).read_bytes() == (tmp_path / "b/v" / name).read_bytes()


def test_the_command_writes_a_version_and_makes_it_current(tmp_path):
    options = [
        "-n",
        "4000",
        "--seed",
        "9",
        "--out",
        str(tmp_path),
        "--features",
        "amount_z, pace_ratio",
        "--alert-rate",
        "0.01",
        "--set-current",
    ]
    result = CliRunner().invoke(train_command, options, catch_exceptions=False)
    assert result.exit_code == 0
    assert "average precision" in result.output
    model = load_model(tmp_path)
    assert model.version == "lean-9-4000"
    assert model.features == ("amount_z", "pace_ratio")
    assert "--alert-rate 0.01" in (tmp_path / "lean-9-4000/card.md").read_text()


def test_a_version_that_exists_is_left_alone(tmp_path, exchange):
    train(SimulatedSource(SPEC), SMALL, "v", tmp_path, exchange, "c")
    with pytest.raises(ArtifactError, match="exists already"):
        train(SimulatedSource(SPEC), SMALL, "v", tmp_path, exchange, "c")


def test_a_file_gives_the_model_that_the_simulation_in_it_gives(tmp_path):
    write_parquet(generate(SPEC), tmp_path / "payments.parquet")
    given = {"simulated": ["-n", "3000"], "from-file": ["--from", str(tmp_path / "payments.parquet")]}
    for version, options in given.items():
        options = [*options, "--seed", "5", "--out", str(tmp_path / "models"), "--version", version]
        result = CliRunner().invoke(train_command, options, catch_exceptions=False)
        assert result.exit_code == 0
    simulated, filed = (load_model(tmp_path / "models", version) for version in given)
    # the simulation's time ends with its last day, a file's with its last payment: the split is a little earlier
    assert filed.manifest["training"]["data_sha256"] == simulated.manifest["training"]["data_sha256"]
    assert 0.99 < filed.manifest["training"]["rows"] / simulated.manifest["training"]["rows"] <= 1
    assert filed.manifest["training"]["files"] == ["payments.parquet"]
    assert "payments.parquet" in (tmp_path / "models/from-file/card.md").read_text()


def test_a_model_of_files_wants_a_name(tmp_path):
    with pytest.raises(SettingsError, match="--version"):
        CliRunner().invoke(train_command, ["--from", str(tmp_path), "--out", str(tmp_path)], catch_exceptions=False)


def test_the_shipped_model_loads_is_small_and_was_made_by_the_command_in_its_card():
    model = load_model(shipped("models"))
    directory = shipped("models") / model.version
    assert sum(file.stat().st_size for file in directory.iterdir()) < 500_000
    training = json.loads((directory / "manifest.json").read_text())["training"]
    command = (
        f"monitor train --transactions {training['transactions']} --seed {training['seed']} --version {model.version}"
    )
    assert command in (directory / "card.md").read_text()
