import numpy as np
import pytest

from monitor.errors import DatasetError
from monitor.learn.dataset import replay
from monitor.learn.risk import risk_features
from monitor.learn.sources import simulated
from monitor.risk.entities import MERCHANT
from monitor.risk.figures import FEATURES, NOTHING_KNOWN
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate
from monitor.state.layout import DAY_MS

DELAY = 7 * DAY_MS


@pytest.fixture(scope="module")
def data(exchange):
    spec = SimulationSpec(seed=12, transactions=20_000, fraud_share=0.05, scenarios=(("merchant_compromise", 1.0),))
    return replay(simulated(generate(spec)), exchange, ("amount",))


def test_risk_parts_fraud_from_the_rest_once_labels_have_come(data):
    made = risk_features(data, MERCHANT, DELAY)
    assert made.shape == (len(data), len(FEATURES))
    assert made[data.fraud, 1].mean() > 5 * made[~data.fraud, 1].mean() > 0


def test_no_row_uses_a_label_before_its_time_nor_anything_of_its_own_day(data):
    made = risk_features(data, MERCHANT, DELAY)
    at = int(np.flatnonzero(made[:, 1] > 0)[20])
    midnight = data.event_time[at] // DAY_MS * DAY_MS
    unknown = (data.label_time >= midnight) | (data.event_time >= midnight)
    changed = data.rows(np.ones(len(data), np.bool_))
    changed.fraud[unknown] = ~changed.fraud[unknown]
    assert risk_features(changed, MERCHANT, DELAY)[at].tolist() == made[at].tolist()


def test_before_any_label_nothing_is_known(data):
    made = risk_features(data, MERCHANT, DELAY)
    first = data.label_time.min() // DAY_MS * DAY_MS + DAY_MS
    assert (made[data.event_time < first] == NOTHING_KNOWN.astype(np.float32)).all()


def test_rows_out_of_order_are_refused(data):
    with pytest.raises(DatasetError, match="not in order"):
        risk_features(data.rows(np.arange(len(data))[::-1]), MERCHANT, DELAY)
