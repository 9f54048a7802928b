import numpy as np
import pytest

from monitor.observe.drift import BINS, EVERY, FEWEST, FORGET_AT, MOVED, Drift, DriftWatch, Reference, reference_of
from monitor.wire.columns import CHANNELS

NAMES, RAILS = ("amount_z", "new_device", "anomaly_score"), CHANNELS


def rows(n, shift=0.0, seed=1):
    rng = np.random.default_rng(seed)
    return np.column_stack((rng.normal(shift, 1, n), rng.random(n) < 0.02, rng.random(n)))


@pytest.fixture(scope="module")
def reference():
    return reference_of(rows(20_000), NAMES, np.zeros(20_000, np.uint8), RAILS)


def index(first, second):
    """By the definition, bin by bin."""
    return sum((now - then) * np.log(now / then) for now, then in zip(first, second, strict=True) if now or then)


def test_what_looks_like_the_training_has_not_moved(reference):
    drift = Drift(reference)
    drift.add(rows(10_000, seed=2), np.zeros(10_000, np.uint8))
    found = drift.indexes()
    assert all(found[name, "card"] < 0.01 for name in NAMES)


def test_what_moved_is_found_and_only_that(reference):
    drift = Drift(reference)
    drift.add(rows(10_000, shift=1.0, seed=2), np.zeros(10_000, np.uint8))
    found = drift.indexes()
    assert found["amount_z", "card"] > MOVED
    assert found["new_device", "card"] < 0.01


def test_the_index_is_that_of_the_definition(reference):
    given = rows(8_000, shift=0.5, seed=3)
    drift = Drift(reference)
    drift.add(given, np.zeros(8_000, np.uint8))
    edges = reference.edges[0]
    now = np.bincount(np.searchsorted(edges, given[:, 0], side="left"), minlength=BINS) / 8_000
    assert drift.indexes()["amount_z", "card"] == pytest.approx(index(now, reference.shares[0, 0]), rel=0.02)


def test_where_there_is_too_little_nothing_is_known(reference):
    drift = Drift(reference)
    drift.add(rows(FEWEST - 1), np.zeros(FEWEST - 1, np.uint8))
    assert np.isnan(drift.indexes()["amount_z", "card"])
    drift.add(rows(20_000), np.ones(20_000, np.uint8))
    assert np.isnan(drift.indexes()["amount_z", "transfer"]), "the training had none of that rail"


def test_what_is_old_fades(reference):
    drift = Drift(reference)
    for _ in range(4):
        drift.add(rows(FORGET_AT // 2, shift=2.0), np.zeros(FORGET_AT // 2, np.uint8))
    moved = drift.indexes()["amount_z", "card"]
    for _ in range(12):
        drift.add(rows(FORGET_AT // 2, seed=4), np.zeros(FORGET_AT // 2, np.uint8))
    assert drift.indexes()["amount_z", "card"] < 0.01 < MOVED < moved


def test_a_reference_comes_back_from_a_manifest_and_nonsense_is_none(reference):
    again = Reference.from_entry(reference.entry())
    assert (again.names, again.rails) == (reference.names, reference.rails)
    assert again.edges.tobytes() == reference.edges.tobytes()
    np.testing.assert_array_equal(again.shares, reference.shares)
    for nonsense in (
        None,
        {},
        [],
        {"names": 5},
        reference.entry() | {"edges": []},
        reference.entry() | {"shares": {"x": []}},
    ):
        assert Reference.from_entry(nonsense) is None


def test_a_watch_looks_at_a_sample_by_offset_and_starts_anew_with_another_model(reference):
    watch = DriftWatch()
    assert watch.indexes() == {}
    watch.follow("m-1", "ab", reference.entry(), np.array([3, 1]))
    n = FEWEST * EVERY
    given = rows(n, shift=1.0)
    features = np.zeros((n, 5))
    features[:, 3], features[:, 1] = given[:, 0], given[:, 1]
    scores = given[:, 2].copy()
    watch.record("m-1", features, scores, np.zeros(n, np.int64), np.arange(n))
    assert watch.indexes()["amount_z", "card"] > MOVED
    watch.follow("m-1", "ab", reference.entry(), np.array([3, 1]))
    assert watch.indexes()["amount_z", "card"] > MOVED, "the same model goes on"
    watch.follow("m-2", "cd", reference.entry(), np.array([3, 1]))
    watch.record("m-1", features, scores, np.zeros(n, np.int64), np.arange(n))  # of a run that had begun before
    watch.record("m-2", features, np.full(n, np.nan), np.zeros(n, np.int64), np.arange(n))
    assert np.isnan(watch.indexes()["amount_z", "card"]), "what is not scored does not count"
    watch.follow("m-3", "ef", None, np.array([3, 1]))
    watch.record("m-3", features, scores, np.zeros(n, np.int64), np.arange(n))
    assert watch.indexes() == {}


def test_a_reference_of_other_rails_is_not_followed(reference):
    watch = DriftWatch()
    few = reference.entry() | {"rails": ["card"]}
    assert Reference.from_entry(few) is not None
    watch.follow("m-1", "ab", few, np.array([3, 1]))
    watch.record("m-1", np.zeros((16, 5)), np.zeros(16), np.full(16, len(CHANNELS) - 1), np.arange(16))
    assert watch.indexes() == {}
