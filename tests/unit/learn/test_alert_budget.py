"""The threshold that keeps to an alert budget is the least that does, of what rules leave open."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.decide.policy import Level
from monitor.learn.alert_budget import Unclaimed, least_threshold

SCORES = st.lists(st.floats(0.01, 1.0) | st.sampled_from([0.25, 0.5, 1.0]), max_size=60)
MODEL = SimpleNamespace(version="m", review_threshold=0.6, block_threshold=0.8)


@given(SCORES, st.integers(-2, 70))
def test_it_is_reached_by_no_more_than_may_be_and_a_lower_score_by_more(scores, most):
    scores = np.array(scores)
    found = least_threshold(scores, most)
    if found is None:
        assert (scores >= 1).sum() > most
        return
    assert (scores >= found).sum() <= most
    assert all((scores >= lower).sum() > most for lower in scores[scores < found])


def gathered(rows):
    """Rows of (score, what rules ask for, fraud), in two slices."""
    unclaimed, half = Unclaimed(), len(rows) // 2
    for part in (rows[:half], rows[half:]):
        scores, levels, fraud = zip(*part, strict=True)
        unclaimed.add(np.array(scores), np.array(levels, np.uint8), np.array(fraud))
    return unclaimed


ROWS = [
    (0.9, Level.NOTHING, True),
    (0.7, Level.NOTHING, False),
    (0.65, Level.NOTHING, True),
    (0.3, Level.NOTHING, False),
    (0.2, Level.REVIEW, True),
    (0.1, Level.FINAL_BLOCK, False),
    (0.99, Level.ALLOW, True),
    (np.nan, Level.NOTHING, False),
]


def test_what_rules_alert_is_taken_off_and_what_they_allow_or_nothing_scored_is_never_alerted():
    found = gathered(ROWS).budget(2.0, 2.0, MODEL)
    assert found.review_threshold == 0.7
    assert (found.rules_a_day, found.model_a_day, found.present_model_a_day) == (1.0, 1.0, 1.5)
    assert (found.recall, found.present_recall) == (0.5, 0.75)


def test_where_rules_alone_alert_more_there_is_no_threshold():
    found = gathered(ROWS).budget(0.5, 2.0, MODEL)
    assert (found.review_threshold, found.model_a_day, found.recall) == (None, 0.0, 0.25)


def test_where_rules_alert_just_as_many_the_model_alerts_none():
    assert gathered(ROWS).budget(1.0, 2.0, MODEL).review_threshold == 1.0


def test_without_fraud_there_is_no_recall():
    found = gathered([(score, level, False) for score, level, _ in ROWS]).budget(2.0, 2.0, MODEL)
    assert (found.recall, found.present_recall) == (None, None)


@pytest.mark.parametrize(("a_day", "threshold"), [(1.5, 0.9), (2.49, 0.7), (2.5, 0.65), (1e9, 0.3)])
def test_a_greater_budget_is_a_lower_threshold(a_day, threshold):
    assert gathered(ROWS).budget(a_day, 2.0, MODEL).review_threshold == threshold
