import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from monitor.learn.estimator import AnomalyForest


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(1).standard_t(3, size=(3_000, 4)).astype(np.float32)


@parametrize_with_checks([AnomalyForest(trees=10, samples=32), AnomalyForest(trees=10, samples=32, by_rank=True)])
def test_it_keeps_scikit_learns_contract(estimator, check):
    check(estimator)


def test_it_scores_as_scikit_learns_forest_does(rows):
    theirs = IsolationForest(n_estimators=50, max_samples=256, random_state=3).fit(rows)
    ours = AnomalyForest(trees=50, samples=256, seed=3).fit(rows)
    np.testing.assert_allclose(ours.score_samples(rows), theirs.score_samples(rows), rtol=0, atol=1e-6)


def test_it_works_in_a_pipeline_and_is_cloned_with_its_parameters(rows):
    forest = clone(AnomalyForest(trees=20, samples=128, seed=9, threshold_rate=0.02))
    assert forest.get_params() == {"trees": 20, "samples": 128, "seed": 9, "by_rank": False, "threshold_rate": 0.02}
    found = make_pipeline(StandardScaler(), forest).fit(rows).predict(rows)
    assert (found == -1).mean() == pytest.approx(0.02, abs=0.005)


def test_its_score_is_average_precision(rows):
    fraud = np.abs(rows).max(axis=1) > np.quantile(np.abs(rows).max(axis=1), 0.98)
    found = cross_val_score(AnomalyForest(trees=30, samples=256), rows, fraud, cv=3)
    assert (found > 0.3).all()


def test_fraud_in_the_training_data_hardly_matters(rows):
    odd = rows[:30] + 25
    clean, dirty = (AnomalyForest(seed=2).fit(each) for each in (rows, np.concatenate([rows, odd])))
    usual = np.quantile(dirty.anomaly_score(rows), 0.999)
    assert (dirty.anomaly_score(odd) > usual).all()
    order = np.corrcoef(clean.anomaly_score(rows), dirty.anomaly_score(rows))[0, 1]
    assert order > 0.95


@given(st.integers(0, 2**32 - 1), st.integers(2, 300), st.integers(1, 4))
def test_by_rank_it_scores_values_as_plain_trees_would_score_their_surprises(seed, n, features):
    rng = np.random.default_rng(seed)
    rows = np.round(rng.standard_cauchy(size=(n, features)), 1).astype(np.float32)
    shares = np.stack([(column[:, None] <= column[None, :]).mean(axis=1) for column in rows.T], axis=1)
    surprises = -np.log10(shares).astype(np.float32)
    theirs = IsolationForest(n_estimators=5, max_samples=min(32, n), random_state=1).fit(surprises)
    ours = AnomalyForest(trees=5, samples=32, seed=1, by_rank=True).fit(rows)
    np.testing.assert_allclose(ours.score_samples(rows), theirs.score_samples(surprises), rtol=0, atol=1e-6)


def test_the_shape_of_a_feature_does_not_matter_by_rank(rows):
    bent = np.sign(rows) * np.abs(rows) ** 3
    first, second = (AnomalyForest(trees=20, samples=256, by_rank=True).fit(each) for each in (rows, bent))
    np.testing.assert_allclose(first.anomaly_score(rows), second.anomaly_score(bent), rtol=0, atol=1e-9)
