"""The reference finds every run as it was decided, whatever model, snapshots of risk and controls were in force then."""

from dataclasses import replace

import numpy as np
import pytest

from monitor.audit.stored import Stored
from monitor.controls.book import ControlBook
from monitor.controls.history import ControlsHistory
from monitor.decide.policy import BLOCK
from monitor.pipeline import decide_run
from monitor.reconcile.audited import audited
from monitor.reconcile.findings import Findings
from monitor.reconcile.past import Past
from monitor.reconcile.reference import Reference
from monitor.reconcile.vectors import SampledVectors
from monitor.risk.book import Entities, Snapshot
from monitor.risk.figures import FIGURES
from monitor.risk.snapshots import load_book, save_snapshot
from monitor.rules.stored import publish
from monitor.scoring.artifact import load_model, save_model
from monitor.scoring.model import Part
from monitor.scoring.risk_rule import RiskRule
from monitor.scoring.scale import scale_of
from monitor.settings import load_settings
from monitor.simulate.spec import SimulationSpec
from monitor.state.accounts import Accounts
from monitor.state.dispositions import Disposition
from monitor.versions import set_pointer
from monitor.wire.records import Run, Spans
from tests.one_run import beginning, deciding_at, records_of
from tests.unit.controls.conftest import NOBODY, control, record
from tests.watched import WATCHED

SPEC = SimulationSpec(seed=31, transactions=1_200, accounts=20, duplicates=0.03)
RUN = 200


@pytest.fixture(scope="module")
def records():
    return records_of(SPEC)


@pytest.fixture
def settings(tmp_path):
    """Two versions of the model, the second with risk beside and other thresholds, and two snapshots."""
    models, risk = tmp_path / "models", tmp_path / "risk"
    shipped = load_model(load_settings(environ={}).models_dir)
    beside = Part("risk", RiskRule(1), ("place_risk_3d",), np.zeros((2, 1)), scale_of({0.0: 0.0, 1.0: 1.0}))
    second = replace(shipped, version="two", parts=(*shipped.parts, beside), review_threshold=0.5, percentiles=None)
    for model in (replace(shipped, version="one"), second):
        save_model(models, model, np.zeros((1, len(model.columns)), np.float32), {"metrics": {}}, "# a model\n")
    set_pointer(models, "current", "one")
    nobody = Entities.of(Spans.of([]), np.zeros((0, len(FIGURES)), np.int64))
    for version, figure in (("risk-1", 50), ("risk-2", 90)):
        places = Entities.of(Spans.of([b"DE/5411"]), np.full((1, len(FIGURES)), figure))
        begins = 0 if version == "risk-1" else SPEC.end_ms - 1
        save_snapshot(risk, Snapshot(version, begins, 1 << 60, 0, (nobody, nobody, places)), {})
    path = tmp_path / "rules.toml"
    path.write_text(WATCHED)
    publish(tmp_path / "rules", path)
    set_pointer(tmp_path / "rules", "current", "1")
    directories = {"models_dir": models, "risk_dir": risk, "rules_dir": tmp_path / "rules"}
    return load_settings(environ={}, overrides=directories)


@pytest.fixture(scope="module")
def written(records):
    """The topic of controls: an account that is watched, then another one."""
    accounts = list(dict.fromkeys(records.keys.all()))[:2]
    return [(offset, *record(control("list_entry", word=account.decode()))) for offset, account in enumerate(accounts)]


@pytest.fixture(scope="module")
def controls(written):
    """As of before the first record, after it, after both."""
    book = ControlBook(NOBODY)
    found = [book.controls]
    for each in written:
        book.add(*each)
        found.append(book.controls)
    return found


@pytest.fixture
def decided(settings, records, controls):
    """What the audit log says of the records: decided with the first model, with none, then with the second and its snapshots; with more controls as it went on."""
    deciding = deciding_at(SPEC, settings)
    served = [load_model(settings.models_dir, "one"), None, load_model(settings.models_dir, "two")]
    accounts, stored = Accounts(), []
    block, position = beginning()
    stored.append(block)
    for number, first in enumerate(range(0, len(records), RUN)):
        part = records[np.arange(first, min(first + RUN, len(records)))]
        model = served[number // 2 % 3]
        book = load_book(settings.risk_dir, latest=2 if model is served[2] and number % 2 else 1)
        versions = dict(deciding.versions) | {
            "model": model.version if model else "",
            "feature_set": model.feature_set if model else "",
            "risk": book.version,
            "controls": controls[number // 2].version,
        }
        rules = deciding.engine_of(deciding.artifacts.rules, controls[number // 2])
        context = replace(
            deciding.for_records(part),
            model=model,
            risk=book,
            rules=rules,
            by_hand=deciding.by_hand_of(controls[number // 2]),
            versions=versions,
        )
        run = decide_run(Run("t", 0, position.last_offset, part), accounts, position, context, SPEC.end_ms)
        position = run.position
        stored += [message.value for message in run.messages if message.topic == context.names.audit]
    log = audited(0, [Stored(0, at, value) for at, value in enumerate(stored)])
    assert log.finding is None
    assert len(log.versions) > 3
    return log, deciding


@pytest.fixture
def held_against(written):
    return lambda *arguments, controls=written: _held_against(*arguments, controls)


def _held_against(decided, settings, records, written):
    log, deciding = decided
    controls = ControlsHistory(NOBODY, lambda: written)
    found, past = Findings(), Past(settings.models_dir, settings.rules_dir, settings.risk_dir, controls)
    reference = Reference(log, "t", deciding, past, SampledVectors(()), found)
    for first in range(0, len(records), 350):  # cut otherwise than it was decided
        reference.add(records[np.arange(first, min(first + 350, len(records)))])
    return found, past.take_missing()


def test_each_run_is_decided_with_the_model_and_the_risk_that_its_block_names(decided, settings, records, held_against):
    found, missing = held_against(decided, settings, records)
    assert (found.counts["decisions_differ"], found.counts["not_scored_anew"], missing) == (0, 0, {})
    scores = decided[0].decisions["score"]
    assert 0 < np.isnan(scores).sum() < scores.size


def test_a_score_that_was_altered_is_found_under_any_model(decided, settings, records, held_against):
    log, _ = decided
    for row in (10, 1_000):
        log.decisions = log.decisions.copy()
        log.decisions["score"][row] = np.nextafter(log.decisions["score"][row], 1.0)
    assert held_against(decided, settings, records)[0].counts["decisions_differ"] == 2


def test_what_is_not_here_any_more_is_said_and_the_rest_is_compared(decided, settings, records, held_against):
    for path in (settings.models_dir / "two").iterdir():
        path.unlink()
    found, missing = held_against(decided, settings, records)
    assert found.counts["decisions_differ"] == 0
    assert 0 < found.counts["not_scored_anew"] < len(records)
    assert any("'two'" in name for name in missing)


def test_another_model_of_the_same_name_is_not_taken_for_it(decided, settings, records, held_against, tmp_path):
    shipped = load_model(load_settings(environ={}).models_dir)
    other = Part(
        "forest", shipped.parts[0].method, tuple(reversed(shipped.parts[0].features)), shipped.parts[0].quartiles
    )
    model = replace(shipped, version="one", parts=(other,), feature_set="lean@000000000000", percentiles=None)
    save_model(tmp_path / "others", model, np.zeros((1, len(model.columns)), np.float32), {"metrics": {}}, "# other\n")
    elsewhere = settings.model_copy(update={"models_dir": tmp_path / "others"})
    found, missing = held_against(decided, elsewhere, records)
    assert any("another model of that name" in why for why in missing.values())
    assert found.counts["not_scored_anew"] > 0


@pytest.mark.parametrize("name", ["cash=review", "card"])
def test_rails_of_another_version_are_said_to_be_missing_and_nothing_is_scored_anew(settings, name):
    past = Past(settings.models_dir, settings.rules_dir, settings.risk_dir, ControlsHistory(NOBODY, tuple))
    assert past.served({"rails": name}) is None
    ((_, why),) = past.take_missing().items()
    assert f"rails {name!r}" in why


def test_a_run_is_decided_anew_with_the_rails_that_its_block_names(settings):
    past = Past(settings.models_dir, settings.rules_dir, settings.risk_dir, ControlsHistory(NOBODY, tuple))
    served, none = past.served({"rails": "card,wallet=block"}), past.served({})
    assert served is not None
    assert none is not None
    assert (served.walled.name, none.walled.name) == ("card,wallet=block", "")


def test_each_run_is_decided_with_the_controls_that_its_block_names(decided, settings, records, held_against, written):
    found, missing = held_against(decided, settings, records)
    assert (found.counts["decisions_differ"], missing) == (0, {})
    decisions, watched = decided[0].decisions, [key.decode().rpartition("/")[2].encode() for _, key, _ in written]
    blocked = decisions["outcome"] == BLOCK
    due = np.isin(records.keys.all(), watched) & (decisions["disposition"] == Disposition.SCORED)
    assert blocked[4 * RUN :][due[4 * RUN :]].all()
    assert not blocked[: 2 * RUN][due[: 2 * RUN]].all()


def test_controls_that_cannot_be_rebuilt_are_said_like_a_model_that_is_gone(
    decided, settings, records, held_against, written
):
    found, missing = held_against(decided, settings, records, controls=[written[0], (1, b"list/x", b"altered")])
    assert found.counts["decisions_differ"] == 0
    assert found.counts["not_scored_anew"] == len(records) - 4 * RUN
    assert all("controls '1@" in name and "missing or were altered" in why for name, why in missing.items())
    assert missing
