"""Attributions of many alerts at once have the bytes that fastavro gives each of them alone."""

import io

import fastavro
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from monitor.effects.alerts import alert_schema
from monitor.effects.attributions import encoded
from monitor.features.catalogue import CATALOGUE

SCHEMA = next(field for field in alert_schema()["fields"] if field["name"] == "attributions")["type"]["items"]


def by_fastavro(feature, value, baseline, contribution):
    out = io.BytesIO()
    record = {
        "feature": feature.name,
        "value": value,
        "unit": feature.unit,
        "baseline": None if feature.baseline is None else baseline,
        "contribution": contribution,
    }
    fastavro.schemaless_writer(out, SCHEMA, record)
    return out.getvalue()


@given(st.data(), st.lists(st.sampled_from(CATALOGUE), min_size=1, max_size=8, unique=True), st.integers(0, 5))
def test_each_item_has_the_bytes_of_fastavro(data, features, alerts):
    shape = (alerts, len(features))
    values, baselines, contributions = (data.draw(arrays.arrays(np.float64, shape)) for _ in range(3))
    order = np.argsort(-contributions, axis=1, kind="stable")
    found = encoded(tuple(features), values, baselines, contributions, order)
    assert found == [
        [by_fastavro(features[p], values[row, p], baselines[row, p], contributions[row, p]) for p in order[row]]
        for row in range(alerts)
    ]
