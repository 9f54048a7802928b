import numpy as np
import pytest

from monitor.learn.dataset import Dataset
from monitor.learn.evaluate import evaluate
from monitor.simulate.scenarios import BY_NAME

TAKEOVER, DRAIN = BY_NAME["account_takeover"].code, BY_NAME["slow_drain"].code


class Half:
    """Thresholds."""

    review_threshold, block_threshold = 0.5, 0.9


def figures_of(scores, scenarios, accounts):
    n, kinds = len(scores), np.array(scenarios, np.uint8)
    data = Dataset(
        names=(),
        features=np.zeros((n, 0), np.float32),
        event_time=np.arange(n),
        account=np.array(accounts),
        entities=np.zeros((n, 3), np.int32),
        amount=np.zeros(n, np.int64),
        channel=np.zeros(n, np.uint8),
        fraud=kinds > 0,
        label_time=np.arange(n),
        scenario=kinds,
        row=np.arange(n),
        duplicates=0,
        rejected={},
        entity_names=(),
        digest="00",
    )
    return evaluate(np.array(scores), Half(), data)


def test_precision_recall_and_rates_are_counted_by_hand():
    figures = figures_of(
        scores=[0.1, 0.2, 0.6, 0.7, 0.95, 0.3, 0.4, 0.5],
        scenarios=[0, 0, 0, TAKEOVER, TAKEOVER, TAKEOVER, DRAIN, 0],
        accounts=[1, 1, 2, 3, 3, 4, 5, 6],
    )
    assert (figures.transactions, figures.fraud) == (8, 4)
    assert (figures.review.alert_rate, figures.review.precision, figures.review.recall) == (0.5, 0.5, 0.5)
    assert figures.review.false_positive_rate == 0.5
    assert (figures.block.alert_rate, figures.block.precision, figures.block.recall) == (0.125, 1.0, 0.25)
    assert (figures.incidents, figures.incidents_caught) == (3, 1)
    by_name = {each.name: each for each in figures.scenarios}
    assert by_name["account_takeover"].recall == pytest.approx(2 / 3)
    assert (by_name["account_takeover"].incidents, by_name["account_takeover"].incidents_caught) == (2, 1)
    assert by_name["slow_drain"].recall == 0
    assert by_name["card_testing"].recall is None


def test_without_fraud_there_is_nothing_to_rank():
    figures = figures_of([0.1, 0.6], [0, 0], [1, 2])
    assert (figures.roc_auc, figures.average_precision, figures.review.recall) == (None, None, None)
    assert figures.review.precision == 0


def test_a_perfect_order_has_areas_of_one():
    figures = figures_of([0.1, 0.2, 0.6], [0, 0, TAKEOVER], [1, 2, 3])
    assert (figures.roc_auc, figures.average_precision) == (1.0, 1.0)
