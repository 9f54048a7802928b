import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import IsolationForest

from monitor.errors import ArtifactError
from monitor.scoring.first_levels import LEVELS
from monitor.scoring.forest import Forest, average_path_length, float32_at_or_below, warm_up


def fitted(rows, **options):
    return IsolationForest(random_state=0, **options).fit(rows)


def data(seed, n, features, kind):
    rng = np.random.default_rng(seed)
    if kind == "normal":
        return rng.normal(size=(n, features)).astype(np.float32)
    if kind == "heavy":
        return rng.standard_cauchy(size=(n, features)).astype(np.float32)
    return rng.integers(0, 3, size=(n, features)).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(3, 400),
    features=st.integers(1, 9),
    kind=st.sampled_from(["normal", "heavy", "counts"]),
    trees=st.integers(1, 40),
    share=st.sampled_from([1.0, 0.5]),
    max_samples=st.integers(2, 400),
)
def test_scores_equal_those_of_scikit_learn(seed, n, features, kind, trees, share, max_samples):
    rows = data(seed, n, features, kind)
    theirs = fitted(rows, n_estimators=trees, max_features=share, max_samples=min(max_samples, n))
    ours = Forest.from_sklearn(theirs)
    unseen = np.concatenate([rows, data(seed + 1, 50, features, kind), np.full((1, features), 3e38, np.float32)])
    np.testing.assert_allclose(ours.score(unseen), -theirs.score_samples(unseen), rtol=0, atol=1e-6)


def test_trees_of_1024_samples_are_ten_levels_deep_and_score_alike():
    rows = data(1, 5000, 8, "heavy")
    theirs = fitted(rows, n_estimators=100, max_samples=1024)
    ours = Forest.from_sklearn(theirs)
    assert ours.depth == 10
    np.testing.assert_allclose(ours.score(rows), -theirs.score_samples(rows), rtol=0, atol=1e-6)


@pytest.mark.parametrize("max_samples", [2, 4, 8, 16, 32])
def test_trees_too_flat_for_the_first_levels_and_deeper_ones_score_alike(max_samples):
    rows = data(6, 500, 7, "heavy")
    theirs = fitted(rows, n_estimators=30, max_samples=max_samples)
    ours = Forest.from_sklearn(theirs)
    assert ours.depth == max_samples.bit_length() - 1  # below, at and above the levels that rows go down together
    np.testing.assert_allclose(ours.score(rows), -theirs.score_samples(rows), rtol=0, atol=1e-6)


def test_a_value_exactly_at_a_threshold_goes_left_as_in_scikit_learn():
    rows = data(2, 256, 3, "normal")
    theirs = fitted(rows, n_estimators=20, max_samples=256)
    ours = Forest.from_sklearn(theirs)
    edges = np.unique(ours.threshold[np.isfinite(ours.threshold)])
    near = np.concatenate([edges, np.nextafter(edges, np.float32(np.inf)), np.nextafter(edges, np.float32(-np.inf))])
    at_edges = np.repeat(near[:, None], 3, axis=1)
    np.testing.assert_allclose(ours.score(at_edges), -theirs.score_samples(at_edges), rtol=0, atol=1e-6)


@given(st.floats(-1e30, 1e30))
def test_a_threshold_in_float32_parts_the_same_numbers(threshold):
    rounded = float32_at_or_below(threshold)
    assert float(rounded) <= threshold < float(np.nextafter(rounded, np.float32(np.inf)))


@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 15, 16, 17, 23, 24, 31, 100])
def test_a_score_does_not_depend_on_the_rows_beside_it(n):
    rows = data(3, 100, 5, "normal")
    forest = Forest.from_sklearn(fitted(rows, n_estimators=37, max_samples=90))
    alone = np.concatenate([forest.score(rows[i : i + 1]) for i in range(n)])
    assert alone.tobytes() == forest.score(rows[:n]).tobytes()
    assert alone[::-1].tobytes() == forest.score(rows[:n][::-1]).tobytes()


def test_a_row_with_a_nan_gets_no_score_and_its_neighbours_keep_theirs():
    rows = data(4, 40, 3, "normal")
    forest = Forest.from_sklearn(fitted(rows, n_estimators=10, max_samples=32))
    assert forest.depth > LEVELS
    whole = forest.score(rows)
    rows[5, 1] = np.nan  # among sixteen that go down together
    scores = forest.score(rows)
    assert np.isnan(scores[5])
    assert np.delete(scores, 5).tobytes() == np.delete(whole, 5).tobytes()


def test_infinities_compare_as_numbers():
    rows = data(4, 40, 2, "normal")
    forest = Forest.from_sklearn(fitted(rows, n_estimators=10, max_samples=32))
    huge, infinite = np.full((1, 2), 3e38, np.float32), np.full((1, 2), np.inf, np.float32)
    assert forest.score(infinite) == forest.score(huge)
    assert forest.score(-infinite) == forest.score(-huge)


def test_no_rows_have_no_scores():
    forest = Forest.from_sklearn(fitted(data(5, 10, 2, "normal"), n_estimators=3, max_samples=8))
    assert forest.score(np.zeros((0, 2), np.float32)).shape == (0,)


def test_rows_of_another_width_are_refused():
    forest = Forest.from_sklearn(fitted(data(5, 10, 2, "normal"), n_estimators=3, max_samples=8))
    with pytest.raises(ValueError, match=r"float32\[n, 2\]"):
        forest.score(np.zeros((1, 3), np.float32))


def test_arrays_bring_the_same_forest_back():
    rows = data(6, 200, 4, "heavy")
    forest = Forest.from_sklearn(fitted(rows, n_estimators=9, max_samples=150))
    again = Forest.from_arrays(forest.arrays(), 4)
    assert again.score(rows).tobytes() == forest.score(rows).tobytes()


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("feature", lambda a: a + 2),
        ("feature", lambda a: a.astype(np.int32)),
        ("threshold", lambda a: np.full_like(a, np.nan)),
        ("threshold", lambda a: a[:, :-1]),
        ("leaf", lambda a: -a - 1),
        ("leaf", lambda a: a[:, :-1]),
        ("leaf_samples", lambda a: a[:1]),
        ("normaliser", lambda a: a * 0),
    ],
)
def test_arrays_that_would_lead_a_walk_astray_are_refused(field, change):
    arrays = Forest.from_sklearn(fitted(data(7, 30, 2, "normal"), n_estimators=3, max_samples=16)).arrays()
    arrays[field] = np.asarray(change(arrays[field]))
    with pytest.raises(ArtifactError, match="forest: "):
        Forest.from_arrays(arrays, 2)


def test_a_forest_of_one_sample_a_tree_is_refused():
    theirs = fitted(data(7, 30, 2, "normal"), n_estimators=3, max_samples=1)
    with pytest.raises(ArtifactError, match="max_samples"):
        Forest.from_sklearn(theirs)


def test_the_expected_path_of_a_root_is_the_mean_over_its_training_rows():
    rows = data(8, 64, 3, "normal")
    theirs = fitted(rows, n_estimators=1, max_samples=64)
    forest = Forest.from_sklearn(theirs)
    mean_path = -np.log2(forest.score(rows)).mean() * average_path_length(64)
    assert forest.expected[0, 0] == pytest.approx(mean_path, rel=1e-6)


def test_warming_up_twice_is_harmless():
    warm_up()
    warm_up()
