"""What a worker takes from disk, and when."""

import hashlib
import shutil
from dataclasses import replace

import numpy as np
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from monitor.artifacts import Shelf, policy_of
from monitor.clock import ManualClock
from monitor.deciding import DecidingContext
from monitor.errors import SettingsError
from monitor.keys import make_key
from monitor.registry.approvals import MODEL, RISK, RULES, Approval, approve
from monitor.resources import shipped
from monitor.risk.book import Entities, Snapshot
from monitor.risk.figures import FIGURES
from monitor.risk.snapshots import save_snapshot
from monitor.rules.stored import publish
from monitor.scoring.artifact import load_model, save_model, set_current
from monitor.sealed import open_sealed
from monitor.settings import load_settings
from monitor.versions import seal_of, set_pointer
from monitor.wire.records import Spans

NOBODY = Entities.of(Spans.of([]), np.zeros((0, len(FIGURES)), np.int64))


@pytest.fixture
def models(tmp_path):
    """The shipped model under its own name, current, and beside it the same as `second`."""
    directory = tmp_path / "models"
    shutil.copytree(shipped("models"), directory)
    model = load_model(directory)
    save_model(directory, replace(model, version="second"), np.zeros((1, len(model.features)), np.float32), {}, "")
    return directory


@pytest.fixture
def settings(models, tmp_path):
    return lambda **values: load_settings(
        environ={},
        overrides={"models_dir": models, "risk_dir": tmp_path / "risk", "rules_dir": tmp_path / "rules", **values},
    )


def snapshot(version, effective_ms):
    return Snapshot(version, effective_ms, effective_ms + 10, 0, (NOBODY,) * 3)


def test_what_has_not_changed_is_not_read_again(settings):
    shelf = Shelf(settings())
    assert shelf.look()
    held = shelf.held
    assert not shelf.look()
    assert shelf.held is held


def test_another_current_is_taken_and_so_is_a_snapshot(settings, models, tmp_path):
    shelf = Shelf(settings())
    shelf.look()
    set_current(models, "second")
    assert shelf.look()
    assert shelf.held.model.version == "second"
    save_snapshot(tmp_path / "risk", snapshot("2026-11-22", 5), {})
    assert shelf.look()
    assert shelf.held.risk.version == "2026-11-22"
    assert shelf.held.refused == ()


def test_a_model_that_is_refused_leaves_the_one_before_serving(settings, models):
    shelf = Shelf(settings())
    shelf.look()
    before = shelf.held.model
    (models / "second/forest.npz").write_bytes(b"damaged")
    (models / "current").write_text("second\n")
    assert shelf.look()
    assert shelf.held.model is before
    assert "forest.npz: SHA-256" in shelf.held.refused[0]
    (models / "current").write_text(f"{before.version}\n")
    assert shelf.look()
    assert shelf.held.refused == ()


def test_a_file_that_is_restored_is_taken_though_no_name_has_changed(settings, models):
    shelf = Shelf(settings())
    content = (models / "second/forest.npz").read_bytes()
    (models / "second/forest.npz").write_bytes(b"damaged")
    (models / "current").write_text("second\n")
    shelf.look()
    assert shelf.held.model is None
    (models / "second/forest.npz").write_bytes(content)
    assert shelf.look()
    assert shelf.held.model.version == "second"
    assert not shelf.look()


@pytest.mark.parametrize(
    "place", ["models/second/manifest.json", "risk/odd name/manifest.json", "risk/deep/manifest.json"]
)
def test_garbage_is_refused_and_never_raised(settings, models, tmp_path, place):
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"[" * 100_000)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (path.parent / "SHA256SUMS").write_text(f"{digest}  manifest.json\n")
    if place.startswith("models"):
        (models / "current").write_text("second\n")
    shelf = Shelf(settings())
    assert shelf.look()
    assert len(shelf.held.refused) == 1


def test_a_snapshot_that_is_refused_leaves_the_book_before(settings, tmp_path):
    shelf = Shelf(settings())
    save_snapshot(tmp_path / "risk", snapshot("a", 5), {})
    shelf.look()
    (save_snapshot(tmp_path / "risk", snapshot("b", 9), {}) / "figures.npz").write_bytes(b"damaged")
    shelf.look()
    assert shelf.held.risk.version == "a"
    assert shelf.held.model is not None
    assert "figures.npz: SHA-256" in shelf.held.refused[0]


def test_where_signers_are_named_only_what_they_approved_is_served(settings, models, tmp_path):
    keys = {}
    for name in ("ann", "ben"):
        make_key(tmp_path / name, None)
        keys[name] = load_pem_private_key((tmp_path / name).read_bytes(), None)
    signers = ",".join(str(tmp_path / f"{name}.pub") for name in keys)
    shelf = Shelf(settings(model_signers=signers, model_approvals=2))
    set_current(models, "second")
    shelf.look()
    assert shelf.held.model is None
    assert "0 valid approvals of the 2 needed" in shelf.held.refused[0]
    for name, key in keys.items():
        assert shelf.held.model is None
        approve(models, Approval("second", seal_of(models, "second"), "", name, "", 0), key)
        assert shelf.look(), "a new approval is noticed"
    assert shelf.held.model.version == "second"


def test_where_risk_signers_are_named_only_what_they_signed_is_used(settings, tmp_path):
    make_key(tmp_path / "rita", None)
    shelf = Shelf(settings(risk_signers=str(tmp_path / "rita.pub")))
    directory = save_snapshot(tmp_path / "risk", snapshot("2026-11-22", 5), {})
    shelf.look()
    assert shelf.held.risk.version == ""
    assert "0 valid approvals of the 1 needed; have it approved: monitor risk sign" in shelf.held.refused[0]
    key = load_pem_private_key((tmp_path / "rita").read_bytes(), None)
    seal = open_sealed(directory).seal
    approve(tmp_path / "risk", Approval("2026-11-22", seal, "", "Rita", "", 0, MODEL), key)
    shelf.look()
    assert shelf.held.risk.version == "", "an approval of a model is none of a snapshot"
    approve(tmp_path / "risk", Approval("2026-11-22", seal, "", "Rita", "", 0, RISK), key)
    assert shelf.look()
    assert shelf.held.risk.version == "2026-11-22"
    assert shelf.held.refused == ()


def test_more_approvals_than_signers_is_an_error_of_settings(settings, tmp_path):
    make_key(tmp_path / "ann", None)
    with pytest.raises(SettingsError, match="model_approvals 2"):
        policy_of(settings(model_signers=str(tmp_path / "ann.pub"), model_approvals=2))


def test_the_next_run_is_decided_with_what_was_taken_and_its_block_names_it(settings, models, tmp_path):
    deciding = DecidingContext(settings(), ManualClock())
    before = deciding.context
    save_snapshot(tmp_path / "risk", snapshot("2026-11-22", 5), {})
    set_current(models, "second")
    assert deciding.look()
    assert (deciding.versions["model"], deciding.versions["risk"]) == ("second", "2026-11-22")
    assert deciding.context.model is deciding.artifacts.model
    assert deciding.context.risk.version == "2026-11-22"
    assert before.model.version != "second", "a run that has begun keeps what it began with"
    assert before.versions["risk"] == ""
    assert not deciding.look()


@pytest.fixture
def rules(tmp_path):
    """A function: publish rules of a version and put them in force."""

    def publish_one(version, text=""):
        path = tmp_path / "rules.toml"
        path.write_text(f'version = "{version}"\n{text}')
        publish(tmp_path / "rules", path)
        set_pointer(tmp_path / "rules", "current", version)
        return tmp_path / "rules"

    return publish_one


def test_without_rules_in_force_there_are_none_and_nothing_is_missing(settings):
    shelf = Shelf(settings())
    shelf.look()
    assert (shelf.held.rules.rules, shelf.held.rules.version, shelf.held.refused) == ((), "", ())


def test_rules_are_taken_and_refused_ones_leave_those_before_in_force(settings, rules):
    shelf = Shelf(settings())
    rules("r-1")
    shelf.look()
    assert shelf.held.rules.version == "r-1"
    directory = rules("r-2")
    (directory / "r-2" / "rules.toml").write_text("nonsense")
    assert shelf.look()
    assert shelf.held.rules.version == "r-1"
    assert "r-2/rules.toml: SHA-256" in shelf.held.refused[0]
    rules("r-3")
    shelf.look()
    assert (shelf.held.rules.version, shelf.held.refused) == ("r-3", ())


def test_a_worker_that_starts_with_refused_rules_has_none_and_says_so(settings, rules):
    (rules("r-1") / "r-1" / "rules.toml").unlink()
    deciding = DecidingContext(settings(), ManualClock(0))
    assert deciding.context.rules is None
    assert deciding.versions["rules"] == ""
    rules("r-2")
    assert deciding.look()
    assert (len(deciding.context.rules), deciding.versions["rules"].partition("@")[0]) == (0, "r-2")


def test_where_rules_signers_are_named_only_what_they_approved_is_in_force(settings, rules, tmp_path):
    public, _ = make_key(tmp_path / "ann.key", None)
    shelf = Shelf(settings(rules_signers=str(public)))
    directory = rules("r-1")
    shelf.look()
    assert shelf.held.rules is None
    assert "have it approved: monitor rules approve" in shelf.held.refused[0]
    key = load_pem_private_key((tmp_path / "ann.key").read_bytes(), None)
    seal = seal_of(directory, "r-1")
    approve(directory, Approval("r-1", seal, "", "Ann", "", 0, MODEL), key)
    shelf.look()
    assert shelf.held.rules is None, "an approval of a model is none of rules"
    approve(directory, Approval("r-1", seal, "", "Ann", "", 0, RULES), key)
    assert shelf.look()
    assert shelf.held.rules.version == "r-1"


def test_rules_that_are_gone_are_missed_where_there_were_some(settings, rules, tmp_path):
    shelf = Shelf(settings())
    directory = rules("r-1")
    shelf.look()
    directory.rename(tmp_path / "unmounted")
    assert shelf.look()
    assert shelf.held.rules.version == "r-1"
    assert "there is none any more; restore it" in shelf.held.refused[0]
    (tmp_path / "unmounted").rename(directory)
    assert shelf.look()
    assert shelf.held.refused == ()
    public, _ = make_key(tmp_path / "ann.key", None)
    bare = Shelf(settings(rules_dir=tmp_path / "nowhere", rules_signers=str(public)))
    bare.look()
    assert bare.held.rules is None, "who names signers has rules"


@pytest.mark.parametrize("digits", [400, 5_000])
def test_bytes_that_nobody_approved_are_not_even_read(settings, rules, tmp_path, digits):
    public, _ = make_key(tmp_path / "ann.key", None)
    directory = rules("r-1")
    path = directory / "r-1" / "rules.toml"
    path.write_text('version = "r-1"\nat_least = ' + "9" * digits)
    path.with_name("SHA256SUMS").write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  rules.toml\n")
    shelf = Shelf(settings(rules_signers=str(public)))
    shelf.look()
    assert "valid approvals" in shelf.held.refused[0]
    shelf = Shelf(settings())
    shelf.look()
    assert shelf.held.rules is None
    assert len(shelf.held.refused) == 1


def test_what_stays_refused_is_looked_at_again_and_is_no_news(settings, models, rules, caplog):
    rules("r-1")
    shelf = Shelf(settings())
    shelf.look()
    (models / "current").write_text("missing\n")
    assert shelf.look()
    held = shelf.held
    for _ in range(3):
        assert not shelf.look()
    assert shelf.held is held
    assert sum("refused" in record.message for record in caplog.records) == 1
