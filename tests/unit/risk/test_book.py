import numpy as np
import pytest

from monitor.errors import ArtifactError
from monitor.features.catalogue import ACCOUNT_FEATURES, CATALOGUE, RISK_NAMES
from monitor.learn.payments import payments_of
from monitor.risk.book import Book, Entities, Snapshot, with_risk
from monitor.risk.entities import MERCHANT, entities_of
from monitor.risk.figures import FIGURES, NOTHING_KNOWN, features_of
from monitor.risk.snapshots import load_book, load_snapshot, save_snapshot
from monitor.simulate.files import table
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate
from monitor.wire.hashing import HashKey
from monitor.wire.records import Spans

KEY = HashKey.parse("00" * 16)
NOBODY = Entities.of(Spans.of([]), np.zeros((0, len(FIGURES)), np.int64))


@pytest.fixture(scope="module")
def payments():
    return payments_of(table(next(iter(generate(SimulationSpec(seed=4, transactions=2_000))))), KEY, "here")


def entities(names, seed=1):
    rng = np.random.default_rng(seed)
    return Entities.of(Spans.of(names), rng.integers(1, 1_000, (len(names), len(FIGURES))))


def snapshot(version, effective, expires, merchants=NOBODY):
    return Snapshot(version, effective, expires, 0, (merchants, NOBODY, NOBODY))


def test_the_newest_snapshot_in_force_holds_until_the_next_and_never_after_it_expired():
    book = Book.of([snapshot("b", 20, 35), snapshot("a", 10, 100), snapshot("c", 50, 60)])
    assert book.version == "a,b,c"
    times = np.array([9, 10, 19, 20, 34, 35, 49, 50, 59, 60])
    assert book.in_force(times).tolist() == [-1, 0, 0, 1, 1, -1, -1, 2, 2, -1]
    assert Book().in_force(times).tolist() == [-1] * 10


def test_of_two_snapshots_of_one_moment_the_later_name_holds():
    book = Book.of([snapshot("2026-11-22", 5, 9), snapshot("2026-11-22.2", 5, 8)])
    assert [each.version for each in book.snapshots] == ["2026-11-22.2"]


def test_each_payment_gets_the_figures_of_what_it_touches_by_the_snapshot_of_its_time(payments):
    names = sorted({name for name in entities_of(payments.columns, MERCHANT).all() if name})
    old, new = entities(names[::2], 1), entities(names[1::3], 2)
    middle, end = (int(np.quantile(payments.event_time, share)) for share in (0.5, 0.9))
    book = Book.of([snapshot("old", 0, end, old), snapshot("new", middle, end, new)])
    accounts = np.full((len(payments), len(ACCOUNT_FEATURES)), 7.0)
    features = with_risk(accounts, payments.columns, (MERCHANT,), book)
    assert features.shape == (len(payments), len(CATALOGUE))
    first = len(ACCOUNT_FEATURES)
    made, rest = (
        features[:, first : first + len(RISK_NAMES)],
        np.delete(features, np.s_[first : first + len(RISK_NAMES)], 1),
    )
    assert (rest[:, :first] == 7.0).all()
    assert np.isnan(rest[:, first:]).all()
    assert with_risk(accounts, payments.columns, (), book) is accounts
    touched = entities_of(payments.columns, MERCHANT).all()
    for row, (name, time) in enumerate(zip(touched, payments.event_time.tolist(), strict=True)):
        chosen, known = (new, names[1::3]) if time >= middle else (old, names[::2])
        if time >= end:
            expected = np.full(len(RISK_NAMES), np.nan)
        elif name in known:
            expected = features_of(chosen.figures[known.index(name)][None], np.array([time]))[0]
        else:
            expected = NOTHING_KNOWN
        np.testing.assert_array_equal(made[row], expected)


def test_a_name_given_twice_is_refused():
    with pytest.raises(ValueError, match="1 different ones for 2"):
        entities([b"m", b"m"])


@pytest.fixture
def saved(tmp_path):
    made = Snapshot("2026-11-22", 10, 20, 7, (entities([b"m-1", b"", "ü".encode()]), NOBODY, entities([b"AT/5411"])))
    save_snapshot(tmp_path, made, {"data_sha256": "ab"})
    return tmp_path, made


def test_a_snapshot_comes_back_the_same(saved):
    directory, made = saved
    loaded = load_snapshot(directory, "2026-11-22")
    for name in ("version", "effective_ms", "expires_ms", "delay_ms"):
        assert getattr(loaded, name) == getattr(made, name)
    for mine, theirs in zip(loaded.entities, made.entities, strict=True):
        assert list(mine.index) == list(theirs.index)
        assert mine.figures.tobytes() == theirs.figures.tobytes()


def test_a_book_is_the_latest_snapshots_of_a_directory(saved):
    directory, made = saved
    save_snapshot(directory, snapshot("2026-11-23", 15, 40), {})
    save_snapshot(directory, snapshot("2026-11-21", 12, 40), {})
    assert load_book(directory).version == "2026-11-22,2026-11-21,2026-11-23"
    (directory / "2026-11-22" / "figures.npz").unlink()
    assert load_book(directory, latest=2).version == "2026-11-21,2026-11-23"
    assert load_book(directory / "missing").snapshots == ()
    with pytest.raises(ArtifactError, match="never changes"):
        save_snapshot(directory, made, {})


@pytest.mark.parametrize("name", ["manifest.json", "figures.npz"])
def test_a_flipped_byte_is_refused(saved, name):
    path = saved[0] / "2026-11-22" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=f"{name}: SHA-256"):
        load_book(saved[0])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"format": 9}, "not a snapshot of format"),
        ({"figures": ["payments_3d"]}, "not a snapshot of format"),
        ({"effective_ms": 30}, "effective_ms, expires_ms, delay_ms"),
        ({"effective_ms": "soon"}, "effective_ms, expires_ms, delay_ms"),
        ({"version": "other"}, "rename it"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(saved, change, why, resealed):
    resealed(saved[0] / "2026-11-22", **change)
    with pytest.raises(ArtifactError, match=why):
        load_snapshot(saved[0], "2026-11-22")
