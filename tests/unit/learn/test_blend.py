import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from monitor.learn.blend import scale_beside
from monitor.learn.likelihood import likelihood


def two_tellers(n=60_000, seed=1):
    """Two kinds of fraud: one that the first score tells of, one that the second does."""
    rng = np.random.default_rng(seed)
    kind = np.where(rng.random(n) < 0.01, rng.integers(1, 3, n), 0)
    first = rng.normal(size=n) + 2.5 * (kind == 1)
    second = np.where((rng.random(n) < 0.1) | (kind == 2), rng.random(n) ** np.where(kind == 2, 0.3, 2.0), 0.0)
    return 1 / (1 + np.exp(-first)), second, kind > 0


def test_a_likelihood_rises_and_says_how_much_of_what_scores_so_is_fraud():
    first, _, fraud = two_tellers()
    curve = likelihood(first, fraud)
    assert (np.diff(curve.score) > 0).all()
    assert (np.diff(curve.probability) > 0).all()
    unseen, _, truth = two_tellers(seed=2)
    said = curve.of(unseen)
    for low, high in ((0.0, 0.01), (0.01, 0.05), (0.05, 1.0)):
        here = (said >= low) & (said < high)
        assert truth[here].mean() == pytest.approx(said[here].mean(), rel=0.35)


def test_it_can_be_read_both_ways():
    first, _, fraud = two_tellers()
    curve = likelihood(first, fraud)
    np.testing.assert_allclose(curve.score_at(curve.of(curve.score)), curve.score, rtol=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.booleans()), min_size=1, max_size=400))
def test_few_payments_and_equal_scores_are_no_trouble(rows):
    scores, fraud = (np.array(column) for column in zip(*rows, strict=True))
    curve = likelihood(scores, fraud)
    assert np.isfinite(curve.score).all()
    assert (curve.probability >= 0).all()
    scale = scale_beside(scores / 2 + 0.1, np.minimum(scores, 0.99), fraud)
    assert (np.diff(scale.of(np.linspace(0, 1, 50))) >= 0).all()


def test_together_two_tellers_find_more_than_each_alone():
    forest, other, fraud = two_tellers()
    scale = scale_beside(forest, other, fraud)
    unseen_forest, unseen_other, truth = two_tellers(seed=2)
    both = np.maximum(unseen_forest, scale.of(unseen_other))
    alone = [average_precision_score(truth, each) for each in (unseen_forest, unseen_other)]
    assert average_precision_score(truth, both) > 1.3 * max(alone)


def test_a_score_that_says_nothing_changes_nothing_much():
    forest, _, fraud = two_tellers()
    noise = np.random.default_rng(3).random(len(forest))
    both = np.maximum(forest, scale_beside(forest, noise, fraud).of(noise))
    assert average_precision_score(fraud, both) > 0.95 * average_precision_score(fraud, forest)


def test_the_lowest_score_is_worth_nothing_and_the_highest_conceivable_everything():
    forest, other, fraud = two_tellers()
    scale = scale_beside(forest, other, fraud)
    assert scale.of(np.array([other.min(), 1.0])).tolist() == [0.0, 1.0]
