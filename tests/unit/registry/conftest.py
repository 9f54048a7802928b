from dataclasses import replace

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sklearn.ensemble import IsolationForest

from monitor.keys import key_id
from monitor.registry.approvals import Approval, Policy, approve
from monitor.registry.evaluations import Evaluation, record
from monitor.scoring.artifact import save_model, set_current
from monitor.scoring.forest import Forest
from monitor.scoring.model import Model, Part, feature_set_of
from monitor.versions import seal_of

NAMES = ("amount_z", "pace_ratio")


@pytest.fixture(scope="session")
def model():
    rows = np.random.default_rng(1).normal(size=(300, 2)).astype(np.float32)
    forest = Forest.from_sklearn(IsolationForest(n_estimators=5, max_samples=64, random_state=1).fit(rows))
    part = Part("forest", forest, NAMES, np.quantile(rows.astype(np.float64), [0.25, 0.75], axis=0))
    return Model("m-1", (part,), 0.6, 0.7, feature_set_of("lean", NAMES))


@pytest.fixture
def models_dir(tmp_path, model):
    """Two versions: m-1, which is current, and m-2."""
    for version in ("m-1", "m-2"):
        save_model(
            tmp_path, replace(model, version=version), np.zeros((1, 2), np.float32), {"metrics": {}}, f"# {version}\n"
        )
    set_current(tmp_path, "m-1")
    return tmp_path


@pytest.fixture(scope="session")
def ann():
    return Ed25519PrivateKey.generate()


@pytest.fixture(scope="session")
def ben():
    return Ed25519PrivateKey.generate()


@pytest.fixture
def policy(ann, ben):
    """A function: how many of Ann and Ben must approve."""
    signers = {key_id(key.public_key()): key.public_key() for key in (ann, ben)}
    return lambda needed: Policy(signers, needed)


@pytest.fixture
def evaluated(models_dir):
    """A function that puts an evaluation of a version on record and gives its digest."""

    def evaluate(version, failed=()):
        made = Evaluation(version, seal_of(models_dir, version), "ab" * 32, "m-1", tuple(failed), {"payments": 5})
        return record(models_dir, made)[1]

    return evaluate


@pytest.fixture
def approved(models_dir, evaluated):
    """A function that approves a version with a key, on the evaluation on record unless told another."""

    def by(key, version="m-2", who="Ann", evaluation=None, seal=None):
        digest = evaluation or evaluated(version)
        signed = Approval(version, seal or seal_of(models_dir, version), digest, who, "better", 1_790_000_000_000)
        return approve(models_dir, signed, key)

    return by
