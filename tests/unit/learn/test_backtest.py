from dataclasses import replace

import numpy as np
import pytest

from monitor.errors import DatasetError
from monitor.learn.backtest import (
    FOREST,
    METHODS,
    OURS,
    WITH_CHALLENGER,
    WITH_RISK,
    Plan,
    backtest,
    clean,
    compromised_from,
    features_needed,
    folds,
    interval,
)
from monitor.learn.challenger import BoostingRecipe
from monitor.learn.dataset import EVERY_FEATURE
from monitor.learn.fit import Recipe, fit, known_labels, scores_of
from monitor.learn.risk import with_risk
from monitor.learn.sources import SimulatedSource
from monitor.learn.train import prepared
from monitor.simulate.spec import SimulationSpec
from monitor.state.layout import DAY_MS

RECIPE = Recipe(trees=20, samples=256, boosting=BoostingRecipe(rounds=20, depth=3), label_delay_ms=3 * DAY_MS)
PLAN = Plan(folds=2, seeds=(1,))
SPEC = SimulationSpec(seed=8, transactions=25_000, days=80, fraud_share=0.03)


@pytest.fixture(scope="module")
def data(exchange):
    return prepared(SimulatedSource(SPEC), features_needed(RECIPE, PLAN), RECIPE.label_delay_ms, exchange)


def test_each_fold_trains_on_what_is_before_its_delay_and_tests_what_follows(data):
    found = folds(data, 3 * DAY_MS, PLAN)
    assert len(found) == 2
    for fold in found:
        assert fold.test_from_ms - fold.train_to_ms == 3 * DAY_MS
        assert fold.test_to_ms > fold.test_from_ms
        assert fold.test_from_ms % DAY_MS == 0
    assert found[0].test_to_ms == found[1].test_from_ms
    assert found[1].test_to_ms <= data.event_time.max() + DAY_MS
    assert found[0].train_to_ms - data.event_time.min() > 0.4 * (data.event_time.max() - data.event_time.min())


def test_more_tests_than_there_is_time_for_are_refused(data):
    for plan in (Plan(folds=60), Plan(folds=2, test_days=30)):
        with pytest.raises(DatasetError, match="do not fit in"):
            folds(data, 3 * DAY_MS, plan)


def test_every_method_is_tried_on_every_fold_and_seed(data):
    said = []
    found = backtest(data, RECIPE, PLAN, said.append)
    assert [(each.method, each.fold) for each in found] == [(method, fold) for fold in (0, 1) for method in METHODS]
    assert said[0] == "fold 1, seed 1: amount alone"
    assert all(each.quality.fraud > 20 and each.quality.roc_auc is not None for each in found)
    ours = [each.quality.average_precision for each in found if each.method == WITH_CHALLENGER]
    alone = [each.quality.average_precision for each in found if each.method == METHODS[0]]
    assert min(ours) > max(alone)


@pytest.mark.parametrize("method", [FOREST, WITH_RISK, WITH_CHALLENGER])
def test_no_label_that_came_later_than_the_test_began_changes_the_model(data, method):
    (fold,) = folds(data, RECIPE.label_delay_ms, replace(PLAN, folds=1))
    accounts = tuple(name for name in data.names if name in EVERY_FEATURE)
    bare = replace(data, names=accounts, features=data.matrix(accounts))
    changed = bare.rows(np.ones(len(bare), np.bool_))
    late = changed.label_time >= fold.test_from_ms
    assert (late & bare.fraud & (bare.event_time < fold.train_to_ms)).sum() > 5
    changed.fraud[late] = ~changed.fraud[late]
    recipe = replace(RECIPE, beside=OURS[method])
    scores = []
    for each in (bare, changed):
        known = with_risk(each, features_needed(RECIPE, PLAN), RECIPE.label_delay_ms)
        training, later = known.split(fold.train_to_ms)
        until = int(np.searchsorted(later.event_time, fold.test_from_ms))
        model = fit(training, recipe, "v", fold.test_from_ms)
        scores.append(
            scores_of(model, later.rows(slice(until))).tobytes() + np.float64(model.review_threshold).tobytes()
        )
    assert scores[0] == scores[1]


def test_accounts_whose_fraud_was_known_before_the_day_leave_the_test(data):
    known = compromised_from(data)
    kept = clean(data, known)
    assert 0 < len(kept) < len(data)
    gone = np.setdiff1d(np.arange(len(data)), np.flatnonzero(np.isin(data.row, kept.row)))
    for at in gone[:200].tolist():
        mine = (data.account == data.account[at]) & data.fraud
        assert data.label_time[mine].min() < data.event_time[at] // DAY_MS * DAY_MS
    first = np.unique(data.account[data.fraud], return_index=True)[1]
    assert np.isin(data.row[data.fraud][first], kept.row).all(), "an account's first fraud is always tested"


def test_labels_are_known_of_what_is_older_than_the_delay_and_only_by_their_time(data):
    now = int(np.quantile(data.event_time, 0.6))
    known = known_labels(data, 3 * DAY_MS, now)
    assert (data.event_time[known.rows] < now - 3 * DAY_MS).all()
    assert (known.fraud == (data.fraud & (data.label_time < now))[known.rows]).all()
    assert 0 < known.fraud.sum() < data.fraud[known.rows].sum(), "some labels take longer than the delay"


def test_a_test_without_fraud_is_refused(data):
    genuine = replace(data, fraud=np.zeros_like(data.fraud))
    with pytest.raises(DatasetError, match="no fraud in its"):
        backtest(genuine, RECIPE, replace(PLAN, methods=(FOREST,)))


@pytest.mark.parametrize(
    "wrong", [{"methods": ("guessing",)}, {"methods": ()}, {"folds": 0}, {"seeds": ()}, {"test_days": 0}]
)
def test_a_plan_that_cannot_be_is_refused(wrong):
    with pytest.raises(DatasetError):
        Plan(**wrong)


def test_an_interval_is_students_over_what_is_there():
    found = interval([0.4, None, 0.5, 0.6])
    assert (found.mean, found.n) == (0.5, 3)
    assert found.half_width == pytest.approx(4.302653 * 0.1 / np.sqrt(3))
    assert interval([0.7]).half_width == 0.0
    assert interval([None]) is None
