from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier

from monitor.errors import ArtifactError
from monitor.scoring.boosted import ARRAYS, Boosted


def data(seed, n, features):
    rng = np.random.default_rng(seed)
    rows = rng.standard_cauchy(size=(n, features)).astype(np.float32)
    rows[:, 0] = np.round(rows[:, 0])
    fraud = rng.random(n) < 1 / (1 + np.exp(-np.clip(rows[:, 0], -9, 9)))
    fraud[:2] = [True, False]
    return rows, fraud


def fitted(rows, fraud, **options):
    return HistGradientBoostingClassifier(**{"max_iter": 20, "min_samples_leaf": 3, "random_state": 0, **options}).fit(
        rows, fraud
    )


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(30, 500),
    features=st.integers(1, 8),
    depth=st.sampled_from([1, 2, 3, 6, 8]),
)
def test_margins_equal_those_of_scikit_learn(seed, n, features, depth):
    rows, fraud = data(seed, n, features)
    theirs = fitted(rows, fraud, max_depth=depth)
    ours = Boosted.from_sklearn(theirs)
    unseen = np.concatenate([rows, data(seed + 1, 100, features)[0], np.full((1, features), 3e38, np.float32)])
    np.testing.assert_allclose(ours.margin(unseen), theirs.decision_function(unseen), rtol=0, atol=1e-5)
    np.testing.assert_allclose(ours.probability(unseen), theirs.predict_proba(unseen)[:, 1], rtol=0, atol=1e-6)


def test_a_value_exactly_at_a_threshold_goes_left_as_in_scikit_learn():
    rows, fraud = data(2, 400, 3)
    theirs = fitted(rows, fraud, max_depth=5)
    ours = Boosted.from_sklearn(theirs)
    edges = np.unique(ours.threshold[np.isfinite(ours.threshold)])
    near = np.concatenate([edges, np.nextafter(edges, np.float32(np.inf)), np.nextafter(edges, np.float32(-np.inf))])
    at_edges = np.repeat(near[:, None], 3, axis=1)
    np.testing.assert_allclose(ours.margin(at_edges), theirs.decision_function(at_edges), rtol=0, atol=1e-5)


def test_calibration_is_a_line_through_the_margins():
    rows, fraud = data(3, 200, 2)
    plain = Boosted.from_sklearn(fitted(rows, fraud, max_depth=3))
    bent = replace(plain, slope=0.5, intercept=-1.0)
    np.testing.assert_allclose(bent.probability(rows), 1 / (1 + np.exp(1.0 - 0.5 * plain.margin(rows))), rtol=1e-12)


def test_a_row_with_a_nan_has_no_probability():
    rows, fraud = data(4, 200, 2)
    ours = Boosted.from_sklearn(fitted(rows, fraud, max_depth=3))
    rows[7, 1] = np.nan
    assert np.flatnonzero(np.isnan(ours.probability(rows))).tolist() == [7]


def test_arrays_bring_the_same_trees_back():
    rows, fraud = data(5, 200, 4)
    ours = Boosted.from_sklearn(fitted(rows, fraud, max_depth=4))
    again = Boosted.from_arrays(ours.arrays(), 4)
    assert again.probability(rows).tobytes() == ours.probability(rows).tobytes()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("boosted_feature", lambda a: a + 4),
        ("boosted_feature", lambda a: a[:, :-1]),
        ("boosted_threshold", lambda a: a * np.float32("nan")),
        ("boosted_threshold", lambda a: a.astype(np.float64)),
        ("boosted_leaf", lambda a: a[:, :-1]),
        ("boosted_leaf", lambda a: np.full_like(a, np.inf)),
        ("boosted_line", lambda a: a[:2]),
        ("boosted_line", lambda a: a * [1, -1, 1]),
    ],
)
def test_arrays_that_would_lead_a_walk_astray_are_refused(name, change):
    rows, fraud = data(6, 200, 4)
    arrays = Boosted.from_sklearn(fitted(rows, fraud, max_depth=4)).arrays()
    with pytest.raises(ArtifactError, match=name.removeprefix("boosted_")):
        Boosted.from_arrays(arrays | {name: change(arrays[name])}, 4)
    with pytest.raises(ArtifactError, match=next(iter(ARRAYS))):
        Boosted.from_arrays({}, 4)
