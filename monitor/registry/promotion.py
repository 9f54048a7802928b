"""Promotion: a version becomes the one that is served, once nothing speaks against it and enough people have approved it.

Three steps, in this order, so that a crash between any two leaves a state that can be told: the checks; the line in the history; the pointer.
Workers check approvals again for themselves: who can write the pointer can still serve nothing that was not approved.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from monitor.errors import ArtifactError, RulesError
from monitor.registry import history
from monitor.registry.approvals import Policy
from monitor.registry.evaluations import recorded
from monitor.registry.history import Step
from monitor.sealed import check_whole
from monitor.versions import CURRENT, current_version, seal_of, set_pointer


@dataclass(frozen=True, slots=True)
class Registry:
    """A directory of versions of one sort, and who must approve one. `load(directory, version)` raises for what cannot be served.

    `evaluated`: a version needs an evaluation on record, and its approvals are of that one. `command`: what people type for it.
    """

    directory: Path
    policy: Policy
    load: Callable[[Path, str], object]
    evaluated: bool
    command: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How a version stands: what speaks against serving it, empty for nothing, and who has approved it."""

    version: str
    seal: str
    problems: tuple[str, ...]
    signers: tuple[str, ...]


def standing(registry: Registry, version: str) -> Standing:
    """Every check of a promotion, all problems at once. Raises `ArtifactError` only when there is no such version."""
    directory, policy = registry.directory, registry.policy
    seal = seal_of(directory, version)
    problems: list[str] = []
    signers: tuple[str, ...] = ()
    try:
        check_whole(directory / version)
        registry.load(directory, version)
    except (ArtifactError, RulesError) as error:
        problems.append(str(error))
    evaluated = ""
    try:
        if registry.evaluated:
            evaluation, evaluated = recorded(directory, version, seal)
            problems += [f"its evaluation failed: {each}" for each in evaluation.failed]
    except ArtifactError as error:
        problems.append(str(error))
    try:
        approvals = policy.check(directory, version, seal)
        signers = tuple(each.who for each in approvals if each.evaluation == evaluated)
        if policy.signers and len(signers) < policy.needed:
            stale = ", ".join(each.who for each in approvals if each.evaluation != evaluated)
            problems.append(f"approved on another evaluation than the one on record by {stale}: approve again")
    except ArtifactError as error:
        problems.append(str(error))
    return Standing(version, seal, tuple(problems), signers)


def promote(registry: Registry, version: str, who: str, why: str, now_ms: int) -> Step:
    """Serve `version` from now on. Raises `ArtifactError` with everything that speaks against it; nothing has changed then."""
    found = standing(registry, version)
    if found.problems:
        raise ArtifactError(f"{version} is not promoted: " + "; ".join(found.problems))
    return _serve(registry.directory, history.PROMOTED, found, who, why, now_ms)


def rollback(registry: Registry, who: str, why: str, now_ms: int) -> Step:
    """Serve again what was served before the current version; a second one goes one further back, never forward to what was rolled back.

    The version's approvals still count; it needs no new evaluation. Raises `ArtifactError`.
    """
    directory = registry.directory
    version = _served_before(history.steps(directory), current_version(directory))
    if not version:
        raise ArtifactError(
            f"{directory}: nothing before {current_version(directory)} in the history; monitor {registry.command} promote another"
        )
    registry.load(directory, version)
    seal = seal_of(directory, version)
    signers = tuple(each.who for each in registry.policy.check(directory, version, seal))
    return _serve(directory, history.ROLLED_BACK, Standing(version, seal, (), signers), who, why, now_ms)


def _served_before(steps: Sequence[Step], current: str) -> str:
    """The version to go back to, empty for none: promotions are a stack, of which a rollback takes the topmost off."""
    served: list[str] = []
    for step in steps:
        if step.action == history.PROMOTED:
            if step.before in served:
                _down_to(served, step.before)
            elif step.before:
                served.append(step.before)
            if served[-1:] != [step.version]:  # a promotion that was asked for twice is one
                served.append(step.version)
        else:
            _down_to(served, step.version)
    _down_to(served, current)
    return served[-2] if len(served) > 1 else ""


def _down_to(served: list[str], version: str) -> None:
    while served and served[-1] != version:
        served.pop()


def _serve(directory: Path, action: str, found: Standing, who: str, why: str, now_ms: int) -> Step:
    before = current_version(directory) if (directory / CURRENT).exists() else ""
    step = Step(action, found.version, found.seal, before, who, why, found.signers, now_ms)
    history.add(directory, step)
    set_pointer(directory, CURRENT, found.version)
    return step
