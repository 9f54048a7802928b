import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.learn.dataset import Dataset
from monitor.learn.quality import card_precision, precision_recall, quality
from monitor.simulate.scenarios import SCENARIOS
from monitor.state.layout import DAY_MS
from monitor.wire.columns import CHANNELS


def dataset(fraud, day=None, account=None, amount=None):
    n = len(fraud)
    return Dataset(
        names=(),
        features=np.zeros((n, 0), np.float32),
        event_time=np.array([0] * n if day is None else day) * DAY_MS,
        account=np.array(range(n) if account is None else account),
        entities=np.zeros((n, 3), np.int32),
        amount=np.array([1] * n if amount is None else amount),
        channel=np.zeros(n, np.uint8),
        fraud=np.array(fraud, np.bool_),
        label_time=np.zeros(n, np.int64),
        scenario=np.zeros(n, np.uint8),
        row=np.arange(n),
        duplicates=0,
        rejected={},
        entity_names=(),
        digest="00",
    )


def test_a_budget_alerts_the_highest_scores_and_counts_what_it_saves_and_loses():
    data = dataset([True, False, True, False], amount=[100, 10, 7, 1])
    found = quality(np.array([0.9, 0.8, 0.1, 0.2]), data, budget=0.5)
    assert (found.precision, found.recall, found.saved, found.lost) == (0.5, 0.5, 100, 7)
    assert found.transactions == 4
    assert found.fraud == 2


def test_a_perfect_order_has_areas_of_one_and_a_wrong_one_of_nothing():
    data = dataset([False, True, True])
    assert quality(np.array([0.1, 0.5, 0.6]), data, 0.5).roc_auc == 1.0
    assert quality(np.array([0.1, 0.5, 0.6]), data, 0.5).average_precision == 1.0
    assert quality(np.array([0.9, 0.5, 0.6]), data, 0.5).roc_auc == 0.0


def test_what_was_not_scored_ranks_last():
    data = dataset([True, False, True])
    unscored = quality(np.array([np.nan, 0.2, 0.9]), data, 1 / 3)
    last = quality(np.array([-9.0, 0.2, 0.9]), data, 1 / 3)
    assert (unscored.roc_auc, unscored.recall) == (last.roc_auc, last.recall) == (0.5, 0.5)


def test_without_fraud_there_is_nothing_to_rank_and_without_rows_nothing_at_all():
    found = quality(np.array([0.3, 0.4]), dataset([False, False]), 0.5)
    assert (found.roc_auc, found.average_precision, found.recall, found.precision) == (None, None, None, 0.0)
    assert quality(np.zeros(0), dataset([]), 0.5).card_precision is None


def test_card_precision_counts_accounts_a_day_once_by_their_highest_score():
    data = dataset(
        fraud=[True, False, False, False, True],
        day=[0, 0, 0, 1, 1],
        account=[1, 1, 2, 1, 2],
    )
    scores = np.array([0.1, 0.9, 0.5, 0.9, 0.5])
    assert card_precision(scores, data, 1) == pytest.approx((1 + 0) / 2)
    assert card_precision(scores, data, 2) == pytest.approx((0.5 + 0.5) / 2)
    assert card_precision(scores, data, 100) == card_precision(scores, data, 2)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40), st.floats(0, 1))
def test_what_is_saved_and_lost_is_all_the_fraud_there_is(rows, budget):
    scores, fraud = zip(*rows, strict=True)
    found = quality(np.array(scores), dataset(fraud, amount=range(1, len(rows) + 1)), budget)
    assert found.saved + found.lost == sum(amount for amount, each in enumerate(fraud, 1) if each)


def test_recall_is_counted_by_rail_and_by_kind_of_fraud():
    data = dataset([True, True, False, True])
    data.channel[:] = [0, 1, 1, 1]
    data.scenario[:] = [1, 2, 0, 2]
    found = quality(np.array([0.1, 0.9, 0.8, 0.2]), data, budget=0.5)
    assert [(each.name, each.transactions, each.fraud, each.alerted, each.caught) for each in found.rails] == [
        (CHANNELS[0], 1, 1, 0, 0),
        (CHANNELS[1], 3, 2, 2, 1),
    ]
    names = [next(each.name for each in SCENARIOS if each.code == code) for code in (1, 2)]
    assert [(each.name, each.fraud, each.caught) for each in found.scenarios] == [(names[0], 1, 0), (names[1], 2, 1)]


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=40).filter(
        lambda rows: any(f for f, _ in rows)
    )
)
def test_the_curve_is_the_best_precision_at_each_recall_or_above(rows):
    fraud, scores = (np.array(column) for column in zip(*rows, strict=True))
    curve = precision_recall(scores.astype(float), fraud, 6)
    cuts = [scores >= cut for cut in np.unique(scores)]
    for recall, precision in curve:
        best = max(fraud[cut].mean() for cut in cuts if fraud[cut].sum() >= recall * fraud.sum() - 1e-9)
        assert precision == pytest.approx(best)
