"""Percentiles of the training: exact at their knots, never more than is true between them, and refused where they cannot be of any rows."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import ArtifactError
from monitor.scoring.percentiles import PER_MILLE, Percentiles, percentiles_of

SINGLE = st.floats(-1e6, 1e6, width=32)
FEW = st.integers(0, 3).map(float)
COLUMNS = st.lists(SINGLE, min_size=1, max_size=400) | st.lists(FEW, min_size=1, max_size=400)


def of(*columns):
    return percentiles_of((str(place), np.array(column, np.float32)) for place, column in enumerate(columns))


def share_of(found, value):
    return float(found.shares(np.array([[value]]))[0, 0])


@given(COLUMNS, st.data())
def test_a_knot_has_the_share_that_is_counted(column, data):
    found = of(column)
    knot = data.draw(st.sampled_from(found.values[0].tolist()))
    assert share_of(found, knot) == sum(each < knot for each in column) / len(column)


@given(COLUMNS, SINGLE)
def test_what_is_said_rounded_down_to_the_resolution_is_never_more_than_is_true(column, value):
    share, smaller = share_of(of(column), value), sum(each < value for each in column)
    step = 1 if share >= 0.99 or share < 0.01 else 10
    assert int(1000 * share) // step * step * len(column) <= 1000 * smaller


@given(COLUMNS, SINGLE)
def test_between_two_knots_the_share_is_off_by_less_than_is_between_them(column, value):
    found = of(column)
    smaller = sum(each < value for each in column)
    at_least, at_most = found.between(0, value)
    assert at_least <= smaller <= at_most or value in found.values
    assert abs(share_of(found, value) - smaller / len(column)) <= (at_most - at_least) / len(column)


def test_a_feature_of_few_values_is_exact_and_a_long_one_has_119_knots():
    rng = np.random.default_rng(3)
    found = of(rng.integers(0, 2, 10_000), rng.normal(size=10_000))
    assert np.isfinite(found.values).sum(axis=1).tolist() == [2, PER_MILLE.size]
    assert PER_MILLE.size == 119


def test_what_training_never_saw_is_below_or_above_all_of_it():
    found = of([1, 2, 3])
    assert [share_of(found, value) for value in (-np.inf, 0.5, 3.5, np.inf, 1e300)] == [0, 0, 1, 1, 1]


def test_what_is_not_known_has_no_share():
    found = of([1, np.nan, 2, 3, 4], [np.nan] * 5)
    assert np.isnan(found.shares(np.array([[np.nan, 1.0]]))).all()
    assert share_of(of([1, np.nan, 2, 3, 4]), 3) == 0.5


def test_a_value_is_compared_as_the_model_compares_it():
    assert share_of(of([0.1, 0.2, 0.3]), 0.2) == 1 / 3, "0.2 as float64 is below its float32"


def test_what_does_not_fit_float32_comes_back_from_a_manifest():
    found = of([-np.inf, 0, np.inf, np.inf])
    back = Percentiles.from_entry(json.loads(json.dumps(found.entry(), allow_nan=False)), found.names, "m")
    assert [share_of(back, value) for value in (-np.inf, 0, np.inf)] == [0, 0.25, 0.5]


@given(st.lists(COLUMNS, min_size=1, max_size=3))
def test_a_manifest_gives_them_back(columns):
    found = of(*columns)
    back = Percentiles.from_entry(json.loads(json.dumps(found.entry())), found.names, "m")
    for name in ("values", "below", "through", "rows"):
        assert (getattr(back, name) == getattr(found, name)).all()


@pytest.mark.parametrize(
    "entry",
    [
        None,
        [],
        {},
        {"b": {"values": [1], "below": [0], "through": [1]}},
        {"a": {"values": [1], "below": [0]}},
        {"a": {"values": [1, 2], "below": [0], "through": [1]}},
        {"a": {"values": ["x"], "below": [0], "through": [1]}},
        {"a": {"values": [[1]], "below": [0], "through": [1]}},
        {"a": {"values": [1], "below": [0.0], "through": [1]}},
        {"a": {"values": [1], "below": [0], "through": [10**30]}},
        {"a": {"values": [1], "below": [1], "through": [2]}},
        {"a": {"values": [1], "below": [0], "through": [0]}},
        {"a": {"values": [2, 1], "below": [0, 1], "through": [1, 2]}},
        {"a": {"values": [1, 2], "below": [0, 1], "through": [2, 3]}},
        {"a": {"values": [1e39], "below": [0], "through": [1]}},
        {"a": {"values": [0.1], "below": [0], "through": [1]}},
        {"a": {"values": [float("nan")], "below": [0], "through": [1]}},
        {"a": {"values": [*range(120)], "below": [*range(120)], "through": [*range(1, 121)]}},
    ],
)
def test_what_no_training_wrote_is_refused(entry):
    with pytest.raises(ArtifactError, match=r"m: percentiles: .*restore the file"):
        Percentiles.from_entry(entry, ("a",), "m")


def test_a_model_takes_those_of_its_own_features_only(model):
    with pytest.raises(ValueError, match="percentiles: of"):
        replace(model, percentiles=of([1, 2]))
