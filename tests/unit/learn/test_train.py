import json

import pytest
from click.testing import CliRunner

from monitor.commands.train import train as train_command
from monitor.errors import ArtifactError
from monitor.learn.fit import Recipe
from monitor.learn.train import train
from monitor.resources import shipped
from monitor.scoring.artifact import load_model
from monitor.state import layout

SMALL = Recipe(trees=10, samples=256, seed=5)


def test_a_trained_model_is_on_disk_and_says_where_it_comes_from(tmp_path, exchange):
    heard = {}

    def on_progress(phase, rows):
        heard[phase] = heard.get(phase, 0) + rows

    trained = train(6_000, SMALL, "v1", tmp_path, exchange, "monitor train ...", on_progress)
    loaded = load_model(tmp_path, "v1")
    manifest = loaded.manifest
    assert loaded.review_threshold == trained.model.review_threshold
    assert manifest["training"]["seed"] == 5
    assert manifest["training"]["rows"] == heard["fit"] < 6_000
    assert heard["replay"] == heard["replay another seed"] == 6_000
    assert manifest["exchange"]["version"] == exchange.version
    assert manifest["layout_version"] == layout.VERSION
    assert set(manifest["libraries"]) == {"python", "numpy", "scikit-learn", "numba"}
    assert len(manifest["metrics"]) == len(trained.evaluations) == 2
    card = (trained.directory / "card.md").read_text()
    assert "monitor train ..." in card
    assert all(name in card for name in loaded.features)


def test_training_again_gives_the_same_bytes(tmp_path, exchange):
    for place in ("a", "b"):
        train(3_000, SMALL, "v", tmp_path / place, exchange, "c")
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
    train(3_000, SMALL, "v", tmp_path, exchange, "c")
    with pytest.raises(ArtifactError, match="exists already"):
        train(3_000, SMALL, "v", tmp_path, exchange, "c")


def test_the_shipped_model_loads_is_small_and_was_made_by_the_command_in_its_card():
    model = load_model(shipped("models"))
    directory = shipped("models") / model.version
    assert sum(file.stat().st_size for file in directory.iterdir()) < 500_000
    training = json.loads((directory / "manifest.json").read_text())["training"]
    command = (
        f"monitor train --transactions {training['transactions']} --seed {training['seed']} --version {model.version}"
    )
    assert command in (directory / "card.md").read_text()
