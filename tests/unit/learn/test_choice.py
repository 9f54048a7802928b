from dataclasses import replace

import numpy as np
import pytest

from monitor.errors import DatasetError
from monitor.learn.choice import CANDIDATES, chosen
from monitor.learn.fit import Recipe, fit


def test_features_that_say_something_seldom_are_chosen_and_no_others():
    rng = np.random.default_rng(1)
    n = 10_000
    columns = {
        "tailed": rng.lognormal(0, 1, n),
        "rare flag": rng.random(n) < 0.01,
        "common flag": rng.random(n) < 0.3,
        "uniform": rng.random(n),
        "constant": np.zeros(n),
        "infinite": np.where(rng.random(n) < 0.01, np.inf, 0.0),
        "mirrored": -rng.lognormal(0, 1, n),
    }
    rows = np.stack([*columns.values()], axis=1).astype(np.float32)
    assert chosen(rows, [*columns]) == ("tailed", "rare flag")


def test_a_fit_takes_what_is_chosen_of_its_own_training(data):
    recipe = Recipe(features=CANDIDATES, automatic=True, trees=20, samples=256)
    model = fit(data, recipe, "v")
    assert set(model.features) < set(CANDIDATES)
    assert "hour_rarity" not in model.features
    assert model.features == chosen(data.matrix(CANDIDATES), CANDIDATES)


def test_where_nothing_says_anything_seldom_somebody_must_choose(data):
    with pytest.raises(DatasetError, match="none of hour_rarity says something"):
        fit(data, replace(Recipe(trees=20, samples=256), features=("hour_rarity",), automatic=True), "v")
