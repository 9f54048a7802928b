import numpy as np
import pytest
from sklearn.ensemble import IsolationForest

from monitor.features.catalogue import CATALOGUE, INDEX
from monitor.scoring.artifact import save_model, set_current
from monitor.scoring.forest import Forest
from monitor.scoring.model import Model, feature_set_of

FEATURES = ("amount_z", "pace_ratio", "new_device", "time_since_last")


@pytest.fixture(scope="session")
def catalogue_rows():
    """Rows of the whole catalogue, float64[400, F], heavy-tailed where features are."""
    rng = np.random.default_rng(11)
    rows = np.zeros((400, len(CATALOGUE)))
    rows[:, INDEX["amount"]] = np.round(rng.lognormal(8, 1, 400))
    rows[:, INDEX["mean_amount"]] = 2_500
    rows[:, INDEX["amount_z"]] = rng.normal(size=400)
    rows[:, INDEX["pace_ratio"]] = rng.lognormal(0, 1, 400)
    rows[:, INDEX["new_device"]] = rng.random(400) < 0.02
    rows[:, INDEX["time_since_last"]] = np.round(rng.lognormal(9, 2, 400), 3)
    rows[:, INDEX["mean_gap"]] = 40_000
    return rows


@pytest.fixture(scope="session")
def model(catalogue_rows):
    columns = [INDEX[name] for name in FEATURES]
    fitted = IsolationForest(n_estimators=40, max_samples=200, random_state=3)
    fitted.fit(catalogue_rows[:, columns].astype(np.float32))
    quartiles = np.quantile(catalogue_rows[:, columns], [0.25, 0.75], axis=0)
    forest = Forest.from_sklearn(fitted)
    return Model("small-1", FEATURES, forest, 0.6, 0.7, feature_set_of("small", FEATURES), quartiles)


@pytest.fixture(scope="session")
def golden_rows(model, catalogue_rows):
    """The model's columns of a dozen rows."""
    return model.rows(catalogue_rows[:12])


@pytest.fixture
def models_dir(tmp_path, model, golden_rows):
    """A directory of models with one version, which is current."""
    save_model(tmp_path, "small-1", model, golden_rows, {"metrics": {}}, "# small-1\n")
    set_current(tmp_path, "small-1")
    return tmp_path
