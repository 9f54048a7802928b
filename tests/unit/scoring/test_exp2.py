import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from monitor.scoring.exp2 import GREATEST, LEAST, exp2


@given(st.floats(-1022, 0))
def test_it_is_within_two_units_in_the_last_place(x):
    exact = math.exp2(x) if hasattr(math, "exp2") else 2.0**x
    assert abs(exp2(np.array([x]))[0] - exact) <= 2 * math.ulp(exact)


@given(st.integers(LEAST, GREATEST))
def test_powers_of_whole_numbers_are_exact(n):
    assert exp2(np.array([float(n)]))[0] == math.ldexp(1.0, n)


def test_a_value_does_not_depend_on_those_beside_it():
    x = -30 * np.random.default_rng(1).random(1000)
    assert exp2(x).tolist() == [exp2(x[i : i + 1])[0] for i in range(len(x))]


def test_nan_stays_nan_and_what_is_beyond_the_exponents_is_bounded():
    found = exp2(np.array([np.nan, -np.inf, -5000.0, np.inf]))
    assert np.isnan(found[0])
    assert found[1:].tolist() == [math.ldexp(1.0, LEAST), math.ldexp(1.0, LEAST), math.ldexp(1.0, GREATEST)]
