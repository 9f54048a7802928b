"""The items of attributions are laid out as fastavro writes them; the numbers go where the layout says."""

import io

import fastavro
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from monitor.effects.alerts import alert_schema
from monitor.effects.attributions import MOST, attributions
from monitor.features.catalogue import CATALOGUE

SCHEMA = next(field for field in alert_schema()["fields"] if field["name"] == "attributions")["type"]["items"]


def by_fastavro(feature, numbers):
    out = io.BytesIO()
    value, baseline, contribution, share = numbers
    record = {
        "feature": feature.name,
        "value": value,
        "unit": feature.unit,
        "contribution": contribution,
        "share": share,
    }
    record["baseline"] = None if feature.baseline is None else baseline
    fastavro.schemaless_writer(out, SCHEMA, record | {"percentile": None})
    return out.getvalue()


@given(st.lists(st.sampled_from(CATALOGUE), max_size=8, unique=True), st.tuples(*[st.floats()] * 4))
def test_an_item_with_its_numbers_filled_in_and_a_null_behind_it_has_the_bytes_of_fastavro(features, numbers):
    columns = [np.full((1, len(features)), number) for number in (*numbers, np.nan)]
    made = attributions(tuple(features), *columns, np.arange(len(features))[None])
    for place, feature in enumerate(features):
        item = bytearray(made.items.data[made.items.spans[place] : made.items.spans[place + 1]].tobytes())
        for which, at in enumerate(made.numbers[place].tolist()):
            if at >= 0:
                item[at : at + 8] = made.values[which, 0, place].tobytes()
        assert bytes(item) + b"\x00" == by_fastavro(feature, numbers)


def test_a_feature_without_a_usual_value_has_no_place_for_one():
    made = attributions(CATALOGUE, *[np.zeros((0, len(CATALOGUE)))] * 5, np.zeros((0, len(CATALOGUE)), np.int64))
    assert (made.numbers[:, 1] == -1).tolist() == [feature.baseline is None for feature in CATALOGUE]


def test_only_the_strongest_are_listed():
    features = tuple(CATALOGUE[: MOST + 5])
    order = np.random.default_rng(1).permuted(np.tile(np.arange(len(features)), (3, 1)), axis=1)
    made = attributions(features, *[np.zeros((3, len(features)))] * 5, order)
    assert made.order.tolist() == order[:, :MOST].tolist()
