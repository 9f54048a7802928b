import numpy as np
import pytest

from monitor.features.catalogue import CATALOGUE, INDEX
from monitor.scoring.model import Model


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
    with pytest.raises(ValueError, match=str(len(CATALOGUE))):
        model.score(np.zeros((2, 3)))


def test_names_quartiles_and_forest_must_agree(model):
    with pytest.raises(ValueError, match="quartiles"):
        Model("v", model.features, model.forest, 0.5, 0.6, "x@y", np.zeros((2, 3)))
    with pytest.raises(ValueError, match="1 names for a forest over 4"):
        Model("v", ("amount",), model.forest, 0.5, 0.6, "x@y", model.quartiles)
