import numpy as np
import pytest

from monitor.errors import DatasetError
from monitor.learn.challenger import BoostingRecipe, fit_boosted

RECIPE = BoostingRecipe(rounds=30, depth=3)


def labelled(n=6_000, seed=1):
    """Fraud with a probability that two of the columns say, whatever the third says."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, 3)).astype(np.float32)
    return rows, rng.random(n) < 1 / (1 + np.exp(4 - 2 * rows[:, 0] - rows[:, 1]))


def test_probabilities_are_calibrated_on_what_comes_later():
    rows, fraud = labelled(20_000)
    unseen, truth = labelled(20_000, seed=2)
    probability = fit_boosted(rows, fraud, RECIPE).trees.probability(unseen)
    for low, high in ((0.0, 0.05), (0.05, 0.2), (0.2, 1.0)):
        here = (probability >= low) & (probability < high)
        assert here.sum() > 300
        assert truth[here].mean() == pytest.approx(probability[here].mean(), rel=0.3)


def test_equal_rows_and_recipe_give_equal_trees():
    rows, fraud = labelled()
    first, second = (fit_boosted(rows, fraud, RECIPE).trees.probability(rows) for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_too_little_fraud_none_of_it_late_or_nothing_else_is_refused():
    rows, fraud = labelled()
    few = fraud & (np.cumsum(fraud) <= 99)
    early = fraud & (np.arange(len(rows)) < 3_000)
    for labels in (few, early, np.ones_like(fraud)):
        with pytest.raises(DatasetError, match="known frauds in 6000 payments"):
            fit_boosted(rows, labels, RECIPE)


def test_labels_that_turn_round_are_refused():
    rows, fraud = labelled()
    late = int(len(rows) * (1 - RECIPE.calibration_share))
    turned = rows.copy()
    turned[late:] *= -1
    with pytest.raises(DatasetError, match="backwards"):
        fit_boosted(turned, fraud, RECIPE)


def test_what_was_held_out_is_judged_by_trees_that_had_not_seen_it():
    rows, fraud = labelled()
    later = int(len(rows) * (1 - RECIPE.calibration_share))
    first = fit_boosted(rows, fraud, RECIPE)
    assert len(first.held_out) == len(rows) - later
    other = fraud.copy()
    other[later:] = labelled(seed=9)[1][later:] | fraud[later:]
    second = fit_boosted(rows, other, RECIPE)
    # other labels of the later rows move the calibration, never the order
    assert np.argsort(first.held_out, kind="stable").tolist() == np.argsort(second.held_out, kind="stable").tolist()
