from dataclasses import dataclass

import numpy as np

from monitor.decide.policy import APPROVE, BLOCK, OUTCOMES, REVIEW, Level, combined, outcomes


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


def test_a_final_block_goes_before_an_allow_before_a_block_before_a_review_and_the_model_is_one_of_them():
    expected = {
        Level.NOTHING: [APPROVE, REVIEW, BLOCK],
        Level.REVIEW: [REVIEW, REVIEW, BLOCK],
        Level.BLOCK: [BLOCK, BLOCK, BLOCK],
        Level.ALLOW: [APPROVE, APPROVE, APPROVE],
        Level.FINAL_BLOCK: [BLOCK, BLOCK, BLOCK],
    }
    modelled = np.array([APPROVE, REVIEW, BLOCK], np.uint8)
    assert {level: combined(modelled, np.full(3, level, np.uint8)).tolist() for level in Level} == expected
