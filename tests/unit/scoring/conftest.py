import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest

from monitor.features.catalogue import CATALOGUE, INDEX
from monitor.scoring.artifact import save_model, set_current
from monitor.scoring.boosted import Boosted
from monitor.scoring.forest import Forest
from monitor.scoring.model import Model, Part, as_rows, feature_set_of, features_of
from monitor.scoring.risk_rule import RiskRule
from monitor.scoring.scale import scale_of

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
    part = Part("forest", forest, FEATURES, quartiles)
    return Model("small-1", (part,), 0.6, 0.7, feature_set_of("small", FEATURES))


@pytest.fixture(scope="session")
def golden_rows(model, catalogue_rows):
    """The model's columns of a dozen rows."""
    return as_rows(catalogue_rows[:12], model.parts[0].columns)


@pytest.fixture
def models_dir(tmp_path, model, golden_rows):
    """A directory of models with one version, which is current."""
    save_model(tmp_path, model, golden_rows, {"metrics": {}}, "# small-1\n")
    set_current(tmp_path, "small-1")
    return tmp_path


SHARES = ("merchant_risk_3d", "device_risk_3d")


@pytest.fixture(scope="session")
def blended_rows(catalogue_rows):
    """The rows, with shares of fraud at merchants and devices; of the last ten nothing is known."""
    rows, rng = catalogue_rows.copy(), np.random.default_rng(5)
    for name in SHARES:
        rows[:, INDEX[name]] = np.where(rng.random(len(rows)) < 0.2, rng.random(len(rows)), 0.0)
    rows[-10:, [INDEX[name] for name in SHARES]] = np.nan
    return rows


@pytest.fixture(scope="session")
def blended(model, blended_rows):
    """A forest with the risk rule and boosted trees beside it."""
    columns = [INDEX[name] for name in (*FEATURES, *SHARES)]
    rows = blended_rows[:-10, columns].astype(np.float32)
    fraud = rows[:, -2] + rows[:, -1] > 0.5
    boosted = Boosted.from_sklearn(
        HistGradientBoostingClassifier(max_iter=10, max_depth=3, random_state=0).fit(rows, fraud)
    )
    quartiles = np.quantile(rows.astype(np.float64), [0.25, 0.75], axis=0)
    beside = (
        Part("risk", RiskRule(2), SHARES, quartiles[:, -2:], scale_of({0.0: 0.0, 0.2: 0.5, 1.0: 1.0})),
        Part("challenger", boosted, (*FEATURES, *SHARES), quartiles, scale_of({0.0: 0.0, 0.5: 0.6, 1.0: 1.0})),
    )
    parts = (*model.parts, *beside)
    return Model("blended-1", parts, 0.6, 0.7, feature_set_of("small", features_of(parts)))
