from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import IsolationForest

from monitor.features.catalogue import CATALOGUE, INDEX
from monitor.features.readable import readable
from monitor.scoring.explain import COMBINATION, MOST_REASONS, explain, sentence
from monitor.scoring.forest import Forest, average_path_length
from monitor.scoring.model import Model, Part, feature_set_of
from monitor.scoring.percentiles import percentiles_of


def explained_by_forest(model, rows):
    """As if the forest, the model's first part, had given each score."""
    return explain(model, rows, np.zeros(len(rows), np.uint8))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), max_samples=st.integers(2, 300), trees=st.integers(1, 60))
def test_contributions_sum_to_expected_minus_actual_path(seed, max_samples, trees):
    rng = np.random.default_rng(seed)
    rows = np.zeros((300, len(CATALOGUE)))
    rows[:, :6] = rng.standard_t(2, size=(300, 6))
    fitted = IsolationForest(n_estimators=trees, max_samples=max_samples, random_state=0).fit(rows[:, :6])
    forest = Forest.from_sklearn(fitted)
    chosen = np.ascontiguousarray(rows[:, :6], np.float32)
    scores, expected = forest.score(chosen), float(forest.expected[:, 0].mean())
    for contributions, actual, score in zip(*forest.leaf_shares(chosen), scores, strict=True):
        assert abs(contributions.sum() - (expected - actual)) < 1e-9
        assert score == pytest.approx(2 ** (-actual / average_path_length(max_samples)), abs=1e-9)


def test_the_feature_that_is_off_contributes_most(model, catalogue_rows):
    row = np.median(catalogue_rows, axis=0)
    row[INDEX["amount_z"]] = 40
    explained = explained_by_forest(model, row[None])
    first = explained.attributions(0)[0]
    assert (first.feature, first.value, first.unit, first.baseline) == ("amount_z", 40, "deviations", None)
    assert explained.reasons(0)[0] == "amount 40 deviations above this account's mean"
    assert first.contribution == explained.contributions[0, model.features.index("amount_z")]


def test_reasons_are_at_most_three_and_only_of_what_made_the_row_stranger(model, catalogue_rows):
    explained = explained_by_forest(model, catalogue_rows)
    for row, contributions in enumerate(explained.contributions):
        reasons = explained.reasons(row)
        assert 1 <= len(reasons) <= MOST_REASONS
        assert reasons == (COMBINATION,) or len(reasons) <= (contributions > 0).sum()
        strengths = [each.contribution for each in explained.attributions(row)]
        assert strengths == sorted(strengths, reverse=True)


def test_a_flag_that_is_not_set_is_never_a_reason(model, catalogue_rows):
    known = catalogue_rows[catalogue_rows[:, INDEX["new_device"]] == 0]
    assert not any("device" in reason for reason in explained_by_forest(model, known).sentences)


def test_a_value_within_the_middle_half_of_training_is_no_reason(model, catalogue_rows):
    row = np.median(catalogue_rows, axis=0)
    assert explained_by_forest(model, row[None]).sentences == [COMBINATION]


def test_a_short_time_since_the_last_event_is_a_reason_and_a_long_one_is_not():
    rows = np.zeros((302, len(CATALOGUE)))
    rows[:300, INDEX["time_since_last"]] = np.random.default_rng(1).normal(1_000, 10, 300)
    rows[300:, INDEX["time_since_last"]] = 0.25, 5_000
    rows[:, INDEX["mean_gap"]] = 40_000
    names, column = ("time_since_last",), rows[:300, [INDEX["time_since_last"]]]
    fitted = IsolationForest(n_estimators=20, random_state=0).fit(column)
    quartiles = np.quantile(column, [0.25, 0.75], axis=0)
    part = Part("forest", Forest.from_sklearn(fitted), names, quartiles)
    model = Model("v", (part,), 0.5, 0.6, feature_set_of("v", names))
    explained = explained_by_forest(model, rows[300:])
    quick, slow = explained.reasons(0), explained.reasons(1)
    assert quick == ("0.25 s after the event before; usual gap 40,000 s",)
    assert slow == (COMBINATION,)


def test_a_row_is_explained_the_same_whatever_rows_are_beside_it(model, catalogue_rows):
    rows = catalogue_rows[:50]
    together = explained_by_forest(model, rows)
    for number, row in enumerate(rows):
        alone = explained_by_forest(model, row[None])
        assert alone.reasons(0) == together.reasons(number)
        assert alone.attributions(0) == together.attributions(number)


def test_shares_are_of_all_that_made_the_row_stranger(model, catalogue_rows):
    explained = explained_by_forest(model, catalogue_rows)
    stranger = explained.contributions > 0
    sums = np.where(stranger, explained.contributions, 0).sum(axis=1)
    for row in np.flatnonzero(stranger.any(axis=1)).tolist():
        for each in explained.attributions(row):
            assert each.share == pytest.approx(max(each.contribution, 0) / sums[row], abs=1e-12)
        assert explained.shares[row].sum() == pytest.approx(1)
    assert (explained.shares[~stranger.any(axis=1)] == 0).all()


@pytest.fixture(scope="module")
def compared(model, catalogue_rows):
    """The model, with what its training looked like."""
    columns = catalogue_rows[:, model.columns].astype(np.float32)
    return replace(model, percentiles=percentiles_of(zip(model.features, columns.T, strict=True)))


def test_percentiles_are_those_of_the_training_and_null_where_nobody_kept_them(model, compared, catalogue_rows):
    rows = catalogue_rows[:20]
    assert np.isnan(explained_by_forest(model, rows).percentiles).all()
    assert explained_by_forest(model, rows).attributions(0)[0].percentile is None
    explained = explained_by_forest(compared, rows)
    for place, column in enumerate(compared.columns):
        training = catalogue_rows[:, column].astype(np.float32)
        counted = [(training < value).mean() for value in rows[:, column].astype(np.float32)]
        assert explained.percentiles[:, place] == pytest.approx(counted, abs=0.011)


def test_how_seldom_so_much_is_is_told_where_the_account_has_no_usual_value(compared, catalogue_rows):
    row = np.median(catalogue_rows, axis=0)
    row[INDEX["amount_z"]], row[INDEX["new_device"]] = 40, 1
    assert set(explained_by_forest(compared, row[None]).reasons(0)) == {
        "amount 40 deviations above this account's mean, more than in 99.9 % of payments",
        "a device this account has not used",
    }


def test_a_row_is_explained_with_percentiles_the_same_whatever_rows_are_beside_it(compared, catalogue_rows):
    together = explained_by_forest(compared, catalogue_rows[:50])
    for number, row in enumerate(catalogue_rows[:50]):
        alone = explained_by_forest(compared, row[None])
        assert (alone.reasons(0), alone.attributions(0)) == (together.reasons(number), together.attributions(number))


@pytest.mark.parametrize(
    ("percentile", "told"),
    [
        (float("nan"), ""),
        (0.9499, ""),
        (0.95, ", more than in 95 % of payments"),
        (0.9899, ", more than in 98 % of payments"),
        (0.99, ", more than in 99 % of payments"),
        (0.99899, ", more than in 99.8 % of payments"),
        (1.0, ", more than in 99.9 % of payments"),
    ],
)
def test_the_share_of_payments_is_rounded_down_and_never_all_of_them(percentile, told):
    assert sentence(CATALOGUE[INDEX["count_7d"]], 17, None, percentile) == f"17 debits in 7 days{told}"


@pytest.mark.parametrize(
    "name", ["amount", "new_device", "country_change_speed", "events_total", "merchant_last_fraud_age"]
)
def test_what_has_a_usual_value_or_is_strange_when_small_or_is_no_quantity_is_not_compared(name):
    assert "payments" not in sentence(CATALOGUE[INDEX[name]], 1, 2, 1.0)


@pytest.mark.parametrize(("speed", "told"), [(60, "1 min"), (1, "60 min"), (0.4, "2.5 h"), (1 / 33, "33 h")])
def test_a_change_of_country_is_told_by_the_time_it_took(speed, told):
    assert sentence(CATALOGUE[INDEX["country_change_speed"]], speed, None) == f"another country than {told} before"


def test_one_of_something_is_not_told_as_many():
    assert sentence(CATALOGUE[INDEX["credit_count_24h"]], 1, None) == "1 credit received in 24 h"
    assert sentence(CATALOGUE[INDEX["credit_count_24h"]], 11, None) == "11 credits received in 24 h"


def test_no_rows_need_no_explanation(model):
    assert explained_by_forest(model, np.zeros((0, len(CATALOGUE)))).sentences == []


def test_money_is_written_in_major_units_beside_the_accounts_own_mean():
    assert sentence(CATALOGUE[INDEX["amount"]], 1_234_567, 2050) == "amount 12,345.67; this account's mean is 20.50"


def test_a_first_event_has_no_time_since_the_last():
    assert sentence(CATALOGUE[INDEX["time_since_last"]], -1, 0) == "this account's first event"


def test_every_sentence_of_the_catalogue_can_be_said():
    for feature in CATALOGUE:
        said = sentence(feature, 1, None if feature.baseline is None else 2)
        assert said
        assert "{" not in said


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        ("base minor", 5, "0.05"),
        ("share", 0.934, "93 %"),
        ("debits", 12.0, "12"),
        ("debits", 0.254, "0.25"),
        ("ratio", 3.14159, "3.1"),
        ("s", 86_400.4, "86,400"),
    ],
)
def test_numbers_are_written_for_people(unit, value, text):
    assert readable(unit, value) == text


def test_a_score_is_explained_by_the_part_that_gave_it(blended, blended_rows):
    judged = blended.judge(blended_rows)
    explained = explain(blended, blended_rows, judged.by)
    assert set(judged.by.tolist()) == {0, 1, 2}
    for number, part in enumerate(blended.parts):
        others = [place for place, name in enumerate(blended.features) if name not in part.features]
        rows = np.flatnonzero(judged.by == number)
        assert (explained.contributions[np.ix_(rows, others)] == 0).all()
        own = [blended.features.index(name) for name in part.features]
        chosen = np.ascontiguousarray(blended_rows[np.ix_(rows, part.columns)], np.float32)
        assert explained.contributions[np.ix_(rows, own)].tobytes() == part.method.contributions(chosen).tobytes()


def test_risk_is_said_in_words(blended, blended_rows):
    judged = blended.judge(blended_rows)
    at = int(np.flatnonzero((judged.by == 1) & (blended_rows[:, INDEX["device_risk_3d"]] == 0))[0])
    share = blended_rows[at, INDEX["merchant_risk_3d"]]
    explained = explain(blended, blended_rows[at : at + 1], judged.by[at : at + 1])
    assert explained.reasons(0) == (f"{100 * share:.0f} % of what this merchant took lately was fraud",)
