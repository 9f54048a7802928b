"""When explanations are left out, and until when it is told."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.shedding import HOLD_S, Shedding

NOW_MS = 1_790_000_000_000


def waited(*ages_ms):
    """Kafka timestamps of records that waited so long."""
    return NOW_MS - np.array(ages_ms, np.int64)


@pytest.mark.parametrize(
    ("after_s", "waited_ms", "late"), [(60, 60_000, False), (60, 60_001, True), (0.5, 501, True), (0, 10**12, False)]
)
def test_a_run_is_late_beyond_the_setting_and_never_where_that_is_0(after_s, waited_ms, late):
    shedding = Shedding(after_s)
    assert shedding.sheds(waited(waited_ms), NOW_MS, 1.0) is late
    assert shedding.is_on(1.0) is late


@given(st.lists(st.integers(-(2**62), 0), min_size=1))
def test_records_without_a_time_are_not_late(written_ms):
    assert not Shedding(60).sheds(np.array(written_ms, np.int64), NOW_MS, 1.0)


@given(
    old=st.lists(st.integers(60_001, 10**12), max_size=30),
    fresh=st.lists(st.integers(-(10**9), 60_000), max_size=30),
    random=st.randoms(),
)
def test_a_run_is_late_where_more_than_half_of_its_records_are_wherever_they_lie(old, fresh, random):
    ages = old + fresh or [0]
    random.shuffle(ages)
    assert Shedding(60).sheds(waited(*ages), NOW_MS, 1.0) is (len(old) > len(fresh))


def test_it_is_over_when_no_run_was_late_for_a_while():
    shedding = Shedding(60)
    assert not shedding.is_on(0.0)
    shedding.sheds(waited(70_000), NOW_MS, 100.0)
    shedding.sheds(waited(10), NOW_MS, 100.0 + HOLD_S)
    assert shedding.is_on(100.0 + HOLD_S)
    assert not shedding.is_on(100.1 + HOLD_S)
