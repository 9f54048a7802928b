"""When explanations are left out, and until when it is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.shedding import HOLD_S, Shedding

NOW_MS = 1_790_000_000_000


@pytest.mark.parametrize(
    ("after_s", "waited_ms", "late"), [(60, 60_000, False), (60, 60_001, True), (0.5, 501, True), (0, 10**12, False)]
)
def test_a_run_is_late_beyond_the_setting_and_never_where_that_is_0(after_s, waited_ms, late):
    shedding = Shedding(after_s)
    assert shedding.sheds(NOW_MS - waited_ms, NOW_MS, 1.0) is late
    assert shedding.is_on(1.0) is late


@given(st.integers(max_value=0))
def test_a_record_without_a_time_is_not_late(oldest_ms):
    assert not Shedding(60).sheds(oldest_ms, NOW_MS, 1.0)


def test_it_is_over_when_no_run_was_late_for_a_while():
    shedding = Shedding(60)
    assert not shedding.is_on(0.0)
    shedding.sheds(NOW_MS - 70_000, NOW_MS, 100.0)
    shedding.sheds(NOW_MS - 10, NOW_MS, 100.0 + HOLD_S)
    assert shedding.is_on(100.0 + HOLD_S)
    assert not shedding.is_on(100.1 + HOLD_S)
