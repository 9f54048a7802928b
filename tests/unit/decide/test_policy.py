from dataclasses import dataclass

import numpy as np

from monitor.decide.policy import APPROVE, BLOCK, OUTCOMES, REVIEW, outcomes


@dataclass(frozen=True)
class Thresholds:
    review_threshold: float = 0.6
    block_threshold: float = 0.7


def test_a_score_at_a_threshold_has_reached_it():
    below = np.nextafter(0.6, 0), np.nextafter(0.7, 0)
    scores = np.array([0.0, below[0], 0.6, below[1], 0.7, 1.0])
    assert outcomes(scores, Thresholds()).tolist() == [APPROVE, APPROVE, REVIEW, REVIEW, BLOCK, BLOCK]


def test_what_was_not_scored_is_approved():
    assert outcomes(np.array([np.nan]), Thresholds()).tolist() == [APPROVE]


def test_equal_thresholds_leave_nothing_to_review():
    scores = np.array([0.5, 0.6, 0.8])
    assert outcomes(scores, Thresholds(0.6, 0.6)).tolist() == [APPROVE, BLOCK, BLOCK]


def test_outcomes_are_bytes_in_order_of_severity():
    assert outcomes(np.zeros(2), Thresholds()).dtype == np.uint8
    assert OUTCOMES[APPROVE] == "approve"
    assert OUTCOMES[REVIEW] == "review"
    assert OUTCOMES[BLOCK] == "block"
