"""Promotion: a version becomes the one that is served, once it has passed an evaluation and enough people have approved it.

Three steps, in this order, so that a crash between any two leaves a state that can be told: the checks; the line in the history; the pointer.
Workers check approvals again for themselves: who can write the pointer can still serve nothing that was not approved.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from monitor.errors import ArtifactError
from monitor.registry import history
from monitor.registry.approvals import Policy
from monitor.registry.evaluations import recorded
from monitor.registry.history import Step
from monitor.scoring.artifact import CURRENT, current_version, load_model, seal_of, set_pointer
from monitor.sealed import check_whole


@dataclass(frozen=True, slots=True)
class Standing:
    """How a version stands: what speaks against serving it, empty for nothing, and who has approved it."""

    version: str
    seal: str
    problems: tuple[str, ...]
    signers: tuple[str, ...]


def standing(models_dir: Path, version: str, policy: Policy) -> Standing:
    """Every check of a promotion, all problems at once. Raises `ArtifactError` only when there is no such version."""
    seal = seal_of(models_dir, version)
    problems: list[str] = []
    signers: tuple[str, ...] = ()
    try:
        check_whole(models_dir / version)
        load_model(models_dir, version)
    except ArtifactError as error:
        problems.append(str(error))
    evaluated = ""
    try:
        evaluation, evaluated = recorded(models_dir, version, seal)
        problems += [f"its evaluation failed: {each}" for each in evaluation.failed]
    except ArtifactError as error:
        problems.append(str(error))
    try:
        approvals = policy.check(models_dir, version, seal)
        signers = tuple(each.who for each in approvals if each.evaluation == evaluated)
        if policy.signers and len(signers) < policy.needed:
            stale = ", ".join(each.who for each in approvals if each.evaluation != evaluated)
            problems.append(f"approved on another evaluation than the one on record by {stale}: approve again")
    except ArtifactError as error:
        problems.append(str(error))
    return Standing(version, seal, tuple(problems), signers)


def promote(models_dir: Path, version: str, policy: Policy, who: str, why: str, now_ms: int) -> Step:
    """Serve `version` from now on. Raises `ArtifactError` with everything that speaks against it; nothing has changed then."""
    found = standing(models_dir, version, policy)
    if found.problems:
        raise ArtifactError(f"{version} is not promoted: " + "; ".join(found.problems))
    return _serve(models_dir, history.PROMOTED, found, who, why, now_ms)


def rollback(models_dir: Path, policy: Policy, who: str, why: str, now_ms: int) -> Step:
    """Serve again what was served before the current version; a second one goes one further back, never forward to what was rolled back.

    The version's approvals still count; it needs no new evaluation. Raises `ArtifactError`.
    """
    version = _served_before(history.steps(models_dir), current_version(models_dir))
    if not version:
        raise ArtifactError(
            f"{models_dir}: nothing before {current_version(models_dir)} in the history; monitor models promote another"
        )
    load_model(models_dir, version)
    seal = seal_of(models_dir, version)
    signers = tuple(each.who for each in policy.check(models_dir, version, seal))
    return _serve(models_dir, history.ROLLED_BACK, Standing(version, seal, (), signers), who, why, now_ms)


def _served_before(steps: Sequence[Step], current: str) -> str:
    """The version to go back to, empty for none: promotions are a stack, of which a rollback takes the topmost off."""
    served: list[str] = []
    for step in steps:
        if step.action == history.PROMOTED:
            served += [step.before] if step.before and step.before not in served[-1:] else []
            served.append(step.version)
        else:
            _down_to(served, step.version)
    _down_to(served, current)
    return served[-2] if len(served) > 1 else ""


def _down_to(served: list[str], version: str) -> None:
    while served and served[-1] != version:
        served.pop()


def _serve(models_dir: Path, action: str, found: Standing, who: str, why: str, now_ms: int) -> Step:
    before = current_version(models_dir) if (models_dir / CURRENT).exists() else ""
    step = Step(action, found.version, found.seal, before, who, why, found.signers, now_ms)
    history.add(models_dir, step)
    set_pointer(models_dir, CURRENT, found.version)
    return step
