import numpy as np
import pyarrow as pa
import pytest

from monitor.errors import DatasetError
from monitor.features.catalogue import ACCOUNT_FEATURES, RISK_KINDS, RISK_NAMES
from monitor.learn.dataset import replay
from monitor.learn.payments import payments_of
from monitor.learn.play import HASH_KEY
from monitor.learn.risk import risk_features, snapshot, with_risk
from monitor.learn.sources import simulated
from monitor.risk.book import Book
from monitor.risk.book import with_risk as add_risk
from monitor.risk.entities import MERCHANT
from monitor.risk.figures import NOTHING_KNOWN
from monitor.simulate.files import table
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate
from monitor.state.layout import DAY_MS

DELAY = 7 * DAY_MS
SPEC = SimulationSpec(seed=12, transactions=20_000, fraud_share=0.05, scenarios=(("merchant_compromise", 1.0),))


@pytest.fixture(scope="module")
def data(exchange):
    return replay(simulated(generate(SPEC)), exchange, ("amount",))


def test_risk_parts_fraud_from_the_rest_once_labels_have_come(data):
    made = risk_features(data, MERCHANT, DELAY)
    assert made.shape == (len(data), len(RISK_NAMES))
    assert made[data.fraud, 2].mean() > 5 * made[~data.fraud, 2].mean() > 0


def test_no_row_uses_a_label_before_its_time_nor_anything_of_its_own_day(data):
    made = risk_features(data, MERCHANT, DELAY)
    at = int(np.flatnonzero(made[:, 2] > 0)[20])
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


def test_a_snapshot_gives_a_worker_the_very_features_that_training_had(data):
    payments = payments_of(pa.concat_tables([table(batch) for batch in generate(SPEC)]), HASH_KEY, "here")
    day = int(np.quantile(data.event_time, 0.8)) // DAY_MS * DAY_MS
    today = np.flatnonzero((payments.event_time >= day) & (payments.event_time < day + DAY_MS))
    assert today.size > 100
    made = snapshot(data, "s", day, day + DAY_MS, DELAY)
    accounts = np.zeros((len(payments), len(ACCOUNT_FEATURES)))
    features = add_risk(accounts, payments.columns, range(len(RISK_KINDS)), Book.of([made]))
    found = features[:, len(ACCOUNT_FEATURES) :].astype(np.float32)
    rows = np.flatnonzero(np.isin(data.row, today))
    for kind in range(len(RISK_KINDS)):
        expected = risk_features(data, kind, DELAY)[rows]
        served = found[data.row[rows], kind * len(RISK_NAMES) : (kind + 1) * len(RISK_NAMES)]
        assert served.tobytes() == expected.tobytes()
    assert (found[today, 2] > 0).any()
    others = np.setdiff1d(np.arange(len(payments)), today)
    assert np.isnan(found[others]).all(), "no snapshot was in force"


def test_risk_columns_stand_behind_the_accounts_in_the_order_of_the_catalogue(data):
    wanted = ("place_risk_7d", "merchant_fraud_streak", "merchant_risk_3d")
    made = with_risk(data, ("amount", *wanted), DELAY)
    assert made.names == ("amount", "merchant_risk_3d", "merchant_fraud_streak", "place_risk_7d")
    assert made.matrix(("merchant_risk_3d",))[:, 0].tobytes() == risk_features(data, MERCHANT, DELAY)[:, 0].tobytes()
    assert with_risk(data, ("amount",), DELAY) is data


def test_a_snapshot_of_a_time_without_payments_is_refused(data):
    with pytest.raises(DatasetError, match="none in the 30 days"):
        snapshot(data, "s", int(data.event_time.min()), int(data.event_time.max()), DELAY)
