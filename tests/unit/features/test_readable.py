"""Values of features as people write them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.features.catalogue import CATALOGUE, INDEX
from monitor.features.readable import UNKNOWN, readable
from monitor.scoring.explain import sentence

units = st.sampled_from(sorted({feature.unit for feature in CATALOGUE}))


@pytest.mark.parametrize(
    ("unit", "value", "written"),
    [("base minor", 123_456, "1,234.56"), ("share", 0.47, "47 %"), ("count", 3, "3"), ("count", 3.26, "3.3"), ("s", 0.25, "0.25"), ("s", 1234.5, "1,234")],
)  # fmt: skip
def test_each_unit_is_written_as_people_write_it(unit, value, written):
    assert readable(unit, value) == written


@given(unit=units, value=st.floats())
def test_whatever_the_value_it_can_be_said_and_what_is_no_number_is_unknown(unit, value):
    assert (readable(unit, value) == UNKNOWN) == (not math.isfinite(value))


def test_a_sentence_about_an_unknown_usual_value_can_be_said():
    feature = CATALOGUE[INDEX["time_since_last"]]
    assert sentence(feature, 3.0, math.nan) == "3 s after the event before; usual gap unknown s"
