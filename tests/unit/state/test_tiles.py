"""The constants that stand in for a formula."""

import math

from monitor.state.layout import RING, WEEK
from monitor.state.tiles import DISTINCT, SUM_LIMIT


def test_the_literal_estimates_are_those_of_linear_counting():
    assert [round(32 * math.log(32 / (32 - bits))) for bits in range(32)] == list(DISTINCT[:32])
    assert DISTINCT[32] == DISTINCT[31]


def test_the_largest_window_sums_stay_within_int64():
    assert max(WEEK.count, RING) * SUM_LIMIT < 2**63
