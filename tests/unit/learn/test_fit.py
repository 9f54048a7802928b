from dataclasses import replace

import numpy as np
import pytest

from monitor.errors import DatasetError
from monitor.features.catalogue import INDEX
from monitor.learn.fit import BLOCK_RATE, GOLDEN_ROWS, REVIEW_RATE, Recipe, fit, golden_rows, scores_of

RECIPE = Recipe(trees=20, samples=256, seed=4)


def test_equal_data_and_recipe_give_an_equal_model(data):
    first, second = (fit(data, RECIPE, "v") for _ in range(2))
    assert scores_of(first, data).tobytes() == scores_of(second, data).tobytes()
    assert (first.review_threshold, first.block_threshold) == (second.review_threshold, second.block_threshold)
    other = fit(data, replace(RECIPE, seed=5), "v")
    assert scores_of(other, data).tobytes() != scores_of(first, data).tobytes()


def test_labels_do_not_take_part(data):
    unlabelled = replace(data, fraud=np.zeros_like(data.fraud), scenario=np.zeros_like(data.scenario))
    first, second = fit(unlabelled, RECIPE, "v"), fit(data, RECIPE, "v")
    assert scores_of(first, data).tobytes() == scores_of(second, data).tobytes()


def test_thresholds_spend_the_alert_budget_on_the_training_rows(data):
    model = fit(data, RECIPE, "v")
    scores = scores_of(model, data)
    assert (scores >= model.review_threshold).mean() == pytest.approx(REVIEW_RATE, rel=0.1)
    assert (scores >= model.block_threshold).mean() == pytest.approx(BLOCK_RATE, rel=0.2)


def test_golden_rows_reach_from_the_most_usual_to_the_strangest(data):
    model = fit(data, RECIPE, "v")
    golden = golden_rows(model, data)
    scores = scores_of(model, data)
    assert golden.shape == (GOLDEN_ROWS, len(model.features))
    assert model.forest.score(golden)[[0, -1]].tolist() == [scores.min(), scores.max()]


@pytest.mark.parametrize("features", [(), ("amount", "amount"), ("amount", "no_such_feature")])
def test_features_unknown_none_or_twice_are_refused(features):
    with pytest.raises(DatasetError, match="choose among amount"):
        Recipe(features=features)


@pytest.mark.parametrize("rates", [(0.001, 0.005), (0.0, 0.0), (1.0, 0.5)])
def test_rates_out_of_order_are_refused(rates):
    with pytest.raises(DatasetError, match="block rate"):
        Recipe(review_rate=rates[0], block_rate=rates[1])


def test_too_few_rows_are_refused(data):
    with pytest.raises(DatasetError, match="fewer than the 100000"):
        fit(data, replace(RECIPE, samples=100_000), "v")


def test_a_feature_that_is_not_finite_is_named(data):
    features = data.features.copy()
    features[7, INDEX[RECIPE.features[0]]] = np.nan
    with pytest.raises(DatasetError, match=f"{RECIPE.features[0]}.*not finite"):
        fit(replace(data, features=features), RECIPE, "v")
