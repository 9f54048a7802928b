import numpy as np

from monitor.features.catalogue import RISK_KINDS
from monitor.learn.payments import payments_of
from monitor.risk.entities import DEVICE, MERCHANT, PLACE, entities_of
from monitor.simulate.files import table
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate
from monitor.wire.hashing import HashKey

KEY = HashKey.parse("00" * 16)


def test_a_payment_touches_its_merchant_its_device_and_its_place():
    batch = next(iter(generate(SimulationSpec(seed=4, transactions=3_000))))
    columns = payments_of(table(batch), KEY, "here").columns
    for kind, given in ((MERCHANT, batch.merchant_id), (DEVICE, batch.device_id)):
        assert entities_of(columns, kind).all() == [name or None for name in given.tolist()]
    places = [
        b"/".join(pair) if all(pair) else None
        for pair in zip(batch.country.tolist(), batch.merchant_category.tolist(), strict=True)
    ]
    assert entities_of(columns, PLACE).all() == places
    assert None in places
    assert len(set(places)) > 3
    assert RISK_KINDS[PLACE] == "place"


def test_a_run_of_nothing_touches_nothing():
    batch = next(iter(generate(SimulationSpec(seed=4, transactions=50))))
    columns = payments_of(table(batch.rows(np.zeros(len(batch), np.bool_))), KEY, "here").columns
    assert all(len(entities_of(columns, kind)) == 0 for kind in range(len(RISK_KINDS)))
