import json
from dataclasses import replace

import numpy as np
import pytest

from monitor.errors import ArtifactError
from monitor.registry import history
from monitor.registry.approvals import Policy
from monitor.registry.evaluations import recorded
from monitor.registry.promotion import promote, rollback, standing
from monitor.scoring.artifact import save_model
from monitor.versions import current_version, seal_of, set_pointer
from tests.registry import models_in

NOW = 1_790_000_000_000


def test_a_version_that_passed_and_was_approved_is_served_and_the_history_says_so(
    models_dir, approved, policy, ann, ben
):
    approved(ann)
    approved(ben, who="Ben")
    promote(models_in(models_dir, policy(2)), "m-2", "Cid", "less noise", NOW)
    assert current_version(models_dir) == "m-2"
    (step,) = history.steps(models_dir)
    assert (step.action, step.version, step.before, step.who, step.why) == (
        "promoted",
        "m-2",
        "m-1",
        "Cid",
        "less noise",
    )
    assert (step.seal, set(step.signers), step.time_ms) == (seal_of(models_dir, "m-2"), {"Ann", "Ben"}, NOW)


def test_no_single_person_swaps_the_model_where_the_policy_says_two(models_dir, approved, policy, ann):
    approved(ann)
    with pytest.raises(ArtifactError, match="1 valid approvals of the 2 needed"):
        promote(models_in(models_dir, policy(2)), "m-2", "Ann", "mine", NOW)
    assert current_version(models_dir) == "m-1"
    assert history.steps(models_dir) == []


def test_without_an_evaluation_or_with_one_that_failed_nothing_is_promoted(models_dir, evaluated):
    with pytest.raises(ArtifactError, match="no evaluation of m-2 on record"):
        promote(models_in(models_dir, Policy({}, 1)), "m-2", "Cid", "", NOW)
    evaluated("m-2", failed=["it alerts none of these 5 payments"])
    with pytest.raises(ArtifactError, match="its evaluation failed: it alerts none"):
        promote(models_in(models_dir, Policy({}, 1)), "m-2", "Cid", "", NOW)
    evaluated("m-2")
    assert promote(models_in(models_dir, Policy({}, 1)), "m-2", "Cid", "", NOW).signers == ()


def test_an_approval_of_another_evaluation_does_not_count(models_dir, approved, evaluated, policy, ann):
    approved(ann)
    evaluated("m-2", failed=["worse"])
    again = evaluated("m-2")
    approved(ann, evaluation="c" * 64)
    with pytest.raises(ArtifactError, match="approved on another evaluation than the one on record by Ann"):
        promote(models_in(models_dir, policy(1)), "m-2", "Cid", "", NOW)
    approved(ann, evaluation=again)
    assert promote(models_in(models_dir, policy(1)), "m-2", "Cid", "", NOW).version == "m-2"


def test_an_evaluation_of_other_bytes_does_not_count(models_dir, evaluated):
    evaluated("m-2")
    path = models_dir / "evaluations/m-2.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"seal": "0" * 64}))
    with pytest.raises(ArtifactError, match="of other bytes"):
        recorded(models_dir, "m-2", seal_of(models_dir, "m-2"))


def test_everything_that_speaks_against_a_version_is_said_at_once(models_dir, policy):
    (models_dir / "m-2/card.md").write_text("another")
    found = standing(models_in(models_dir, policy(2)), "m-2")
    assert len(found.problems) == 3
    assert "card.md: SHA-256" in found.problems[0]
    (models_dir / "m-2/extra").write_text("")
    assert "extra: in SHA256SUMS or in the directory" in standing(models_in(models_dir, policy(2)), "m-2").problems[0]


def test_a_rollback_serves_what_was_served_before(models_dir, evaluated):
    evaluated("m-2")
    promote(models_in(models_dir, Policy({}, 1)), "m-2", "Cid", "try it", NOW)
    step = rollback(models_in(models_dir, Policy({}, 1)), "Dee", "too many alerts", NOW + 1)
    assert current_version(models_dir) == "m-1"
    assert (step.action, step.version, step.before) == ("rolled back", "m-1", "m-2")
    assert [each.action for each in history.steps(models_dir)] == ["promoted", "rolled back"]


def test_a_second_rollback_goes_one_further_back_and_never_forward_to_what_was_rolled_back(
    models_dir, evaluated, model
):
    third = replace(model, version="m-3")
    save_model(models_dir, third, np.zeros((1, 2), np.float32), {"metrics": {}}, "# m-3\n")
    nobody = Policy({}, 1)
    for version in ("m-2", "m-3"):
        evaluated(version)
        promote(models_in(models_dir, nobody), version, "Cid", "", NOW)
    assert [rollback(models_in(models_dir, nobody), "Dee", "", NOW).version for _ in range(2)] == ["m-2", "m-1"]
    with pytest.raises(ArtifactError, match="nothing before m-1"):
        rollback(models_in(models_dir, nobody), "Dee", "", NOW)
    promote(models_in(models_dir, nobody), "m-3", "Cid", "mended", NOW)
    assert rollback(models_in(models_dir, nobody), "Dee", "", NOW).version == "m-1"


def test_a_promotion_that_was_asked_for_twice_or_broke_off_is_one_step_back(models_dir, evaluated, model):
    save_model(models_dir, replace(model, version="m-3"), np.zeros((1, 2), np.float32), {"metrics": {}}, "# m-3\n")
    registry = models_in(models_dir, Policy({}, 1))
    for version in ("m-2", "m-2", "m-3"):
        evaluated(version)
        promote(registry, version, "Cid", "", NOW)
    set_pointer(models_dir, "current", "m-2")  # as a crash between the history and the pointer leaves it
    promote(registry, "m-3", "Cid", "again", NOW)
    assert [rollback(registry, "Dee", "", NOW).version for _ in range(2)] == ["m-2", "m-1"]


def test_two_keys_of_one_name_are_two_signers_of_whom_one_may_be_stale(
    models_dir, approved, evaluated, policy, ann, ben
):
    approved(ann, evaluation="c" * 64)
    approved(ben)
    assert promote(models_in(models_dir, policy(1)), "m-2", "Cid", "", NOW).signers == ("Ann",)


def test_a_line_that_a_crash_cut_off_was_never_written(models_dir, evaluated):
    evaluated("m-2")
    promote(models_in(models_dir, Policy({}, 1)), "m-2", "Cid", "", NOW)
    path = models_dir / history.HISTORY
    whole = path.read_bytes()
    for torn in (whole[: len(whole) // 2], whole[:-1]):
        path.write_bytes(whole + torn)
        assert [step.version for step in history.steps(models_dir)] == ["m-2"]
    rollback(models_in(models_dir, Policy({}, 1)), "Dee", "", NOW)
    assert [step.action for step in history.steps(models_dir)] == ["promoted", "rolled back"]


def test_without_a_version_before_there_is_nothing_to_roll_back_to(models_dir):
    with pytest.raises(ArtifactError, match="nothing before m-1"):
        rollback(models_in(models_dir, Policy({}, 1)), "Dee", "", NOW)


def test_a_history_of_which_a_line_is_missing_or_changed_is_refused(models_dir, evaluated):
    evaluated("m-2")
    for number in range(3):
        promote(models_in(models_dir, Policy({}, 1)), "m-2", "Cid", f"{number}", NOW)
    path = models_dir / history.HISTORY
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], lines[2]]))
    with pytest.raises(ArtifactError, match="line 2 does not follow"):
        history.steps(models_dir)
    path.write_bytes(b"".join([lines[0].replace(b'"Cid"', b'"Eve"'), *lines[1:]]))
    with pytest.raises(ArtifactError, match="line 2 does not follow"):
        history.steps(models_dir)
    path.write_bytes(lines[0] + b"nonsense\n")
    with pytest.raises(ArtifactError, match="line 2: not a step"):
        history.steps(models_dir)


def test_steps_are_chained_whoever_adds_them(models_dir):
    blank = history.Step("promoted", "m-2", "", "", "Cid", "", (), NOW)
    for why in ("a", "b"):
        history.add(models_dir, replace(blank, why=why))
    first, second = history.steps(models_dir)
    assert [first.why, second.why] == ["a", "b"]
    assert first.previous == history.FIRST != second.previous
