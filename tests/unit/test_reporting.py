"""What is counted of a run for the metrics, where it takes more than to pass it on."""

import numpy as np
import pytest

from monitor.decide.policy import APPROVE, BLOCK, REVIEW
from monitor.reporting import unexplained
from monitor.state.dispositions import WITHHELD, Held

NAN = float("nan")


@pytest.mark.parametrize(
    ("outcome", "held", "score", "count"),
    [
        (REVIEW, Held.SENT, 0.9, 1),
        (BLOCK, Held.SENT, 0.1, 1),
        *((REVIEW, held, 0.9, 1) for held in WITHHELD),
        (REVIEW, Held.WARM_UP, 0.9, 0),
        (APPROVE, Held.SUMMARY, 0.2, 0),
        (APPROVE, Held.SENT, 0.2, 0),
        (BLOCK, Held.SENT, NAN, 0),
    ],
)
def test_an_alert_lacks_an_explanation_where_a_model_scored_it_whoever_is_told(outcome, held, score, count):
    one = np.array([outcome], np.uint8), np.array([held], np.uint8), np.array([score])
    assert unexplained(*one) == count
    assert unexplained(*(np.repeat(each, 3) for each in one)) == 3 * count
