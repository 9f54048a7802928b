from dataclasses import replace

import numpy as np
import pytest

from monitor.features.catalogue import ACCOUNT_FEATURES, CATALOGUE, INDEX
from monitor.risk.entities import DEVICE, MERCHANT
from monitor.scoring.model import Model, Part, as_rows
from monitor.scoring.risk_rule import RiskRule
from monitor.scoring.scale import scale_of


def test_a_model_scores_its_own_columns_of_the_catalogue(model, catalogue_rows):
    chosen = np.ascontiguousarray(catalogue_rows[:, [INDEX[name] for name in model.features]], np.float32)
    assert model.score(catalogue_rows).tobytes() == model.forest.score(chosen).tobytes()


def test_a_nan_in_a_feature_the_model_does_not_use_does_not_matter(model, catalogue_rows):
    rows = catalogue_rows.copy()
    rows[:, INDEX["hour_rarity"]] = np.nan
    assert model.score(rows).tobytes() == model.score(catalogue_rows).tobytes()
    rows[0, INDEX["amount_z"]] = np.nan
    assert np.isnan(model.score(rows)[0])


def test_a_value_beyond_float32_is_scored_as_infinite(model, catalogue_rows):
    rows = catalogue_rows[:1].copy()
    rows[0, INDEX["amount_z"]] = 1e300
    assert np.isfinite(model.score(rows)[0])


def test_a_matrix_of_another_width_is_refused(model):
    with pytest.raises(ValueError, match=str(len(ACCOUNT_FEATURES))):
        model.score(np.zeros((2, 3)))


def test_without_risk_the_features_of_accounts_are_enough(model, blended, catalogue_rows):
    accounts = catalogue_rows[:, : len(ACCOUNT_FEATURES)]
    assert model.score(accounts).tobytes() == model.score(catalogue_rows).tobytes()
    with pytest.raises(ValueError, match=str(len(CATALOGUE))):
        blended.score(accounts)


def test_names_quartiles_and_forest_must_agree(model):
    with pytest.raises(ValueError, match="quartiles"):
        Part("forest", model.forest, model.features, np.zeros((2, 3)))
    with pytest.raises(ValueError, match="1 names for a forest over 4"):
        Part("forest", model.forest, ("amount",), model.parts[0].quartiles)


def test_a_forest_is_the_first_part_and_its_scores_are_the_scale(blended):
    for parts in ((), blended.parts[1:], (replace(blended.parts[0], scale=blended.parts[1].scale),)):
        with pytest.raises(ValueError, match="the first must be a forest"):
            Model("v", parts, 0.5, 0.6, "x@y")


def test_a_score_is_the_greatest_of_what_the_parts_scores_are_worth(blended, blended_rows):
    judged = blended.judge(blended_rows)
    levels = np.stack([part.level(as_rows(blended_rows, part.columns)) for part in blended.parts])
    assert judged.scores.tobytes() == np.nanmax(levels, axis=0).tobytes()
    assert judged.by.tolist() == np.nanargmax(levels, axis=0).tolist()
    assert judged.partial.tolist() == np.isnan(levels).any(axis=0).tolist()
    assert judged.partial.sum() == 10


def test_where_nothing_is_known_of_risk_the_forest_decides(blended, model, blended_rows):
    unknown = blended_rows[-10:]
    judged = blended.judge(unknown)
    assert judged.scores.tobytes() == model.score(unknown).tobytes()
    assert judged.partial.all()
    assert not judged.by.any()


def test_its_own_columns_give_the_scores_of_the_catalogues(blended, blended_rows):
    own = as_rows(blended_rows, np.array([INDEX[name] for name in blended.features]))
    for mine, theirs in zip(blended.judge_own(own), blended.judge(blended_rows), strict=True):
        assert mine.tobytes() == theirs.tobytes()
    with pytest.raises(ValueError, match="expected float32"):
        blended.judge_own(own[:, 1:])


def test_it_says_whose_risk_it_looks_at(model, blended):
    assert model.risk_kinds == ()
    assert blended.risk_kinds == (MERCHANT, DEVICE)


def test_a_scale_is_a_line_through_its_points_and_level_beyond_them():
    scale = scale_of({1.0: 0.8, 0.0: 0.0, 0.5: 0.4, 0.25: 0.4})
    given = np.array([-1.0, 0.0, 0.125, 0.25, 0.3, 0.75, 1.0, 7.0, np.nan])
    np.testing.assert_allclose(scale.of(given), [0.0, 0.0, 0.2, 0.4, 0.4, 0.6, 0.8, 0.8, np.nan], rtol=1e-15)


def test_the_risk_rule_takes_shares_for_chances_that_do_not_know_of_each_other():
    rows = np.array([[0.0, 0.0], [0.5, 0.0], [0.5, 0.5], [1.0, 0.25], [np.nan, 0.5]], np.float32)
    rule = RiskRule(2)
    np.testing.assert_array_equal(rule.score(rows), [0.0, 0.5, 0.75, 1.0, np.nan])
    assert rule.contributions(rows[:4]).tolist() == rows[:4].tolist()
