"""What a worker loads from disk and may replace while it runs: the model, the rules, and the book of risk.

They are read whole, checked, and only then taken; a run is decided with what was there when it began, never with a mixture. What is refused
changes nothing: the one before goes on, and the refusal is told.
"""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from monitor.errors import ArtifactError, RulesError
from monitor.registry.approvals import RISK, RULES, Policy, approvers
from monitor.registry.history import HISTORY
from monitor.registry.promotion import Registry
from monitor.risk.book import Book
from monitor.risk.snapshots import load_book, versions_of
from monitor.rules.ruleset import RuleSet
from monitor.rules.stored import load_rules, load_tested
from monitor.scoring.artifact import load_model
from monitor.scoring.model import Model
from monitor.settings import Settings
from monitor.versions import CANDIDATE, CURRENT, current_version, seal_of

log = logging.getLogger(__name__)

_Loaded = TypeVar("_Loaded")


@dataclass(frozen=True, slots=True)
class Artifacts:
    """`model` None: none could be loaded, and decisions are made without scores. `rules` None: the same; no rules at all are a set of none. `candidate` scores beside it and acts on nothing; None for none, or
    for one that was refused. `refused`: what was, the last time it was looked at, and why.
    """

    model: Model | None
    risk: Book
    rules: RuleSet | None
    candidate: Model | None = None
    refused: tuple[str, ...] = ()

    @property
    def seals(self) -> tuple[object, ...]:
        """What stands for every byte of them, and for what was refused: None where there is nothing."""
        models = (None if each is None else (each.version, each.seal) for each in (self.model, self.candidate))
        rules = None if self.rules is None else (self.rules.version, self.rules.seal)
        return (*models, rules, tuple((each.version, each.seal) for each in self.risk.snapshots), self.refused)


class Shelf:
    """The artifacts as they lie on disk, read again only when something there has changed."""

    def __init__(self, settings: Settings) -> None:
        self._models_dir, self._risk_dir = settings.models_dir, settings.risk_dir
        self._rules_dir = settings.rules_dir
        self._policy, self._risk_policy = policy_of(settings), risk_policy_of(settings)
        self._rules_policy = rules_policy_of(settings)
        self._seen: tuple[object, ...] | None = None
        self.held = Artifacts(None, Book(), None)

    def look(self) -> bool:
        """Whether `held` is another now. Blocks while files are read; never raises for what is wrong with them.

        While something is refused everything is read again: a file that is restored has no other name, and a mount that comes back neither.
        """
        found = self._names()
        if found == self._seen and not self.held.refused:
            return False
        self._seen = found
        refused: list[str] = []
        before = self.held
        model = self._tried(self._approved, before.model, refused)
        risk = self._tried(self._signed, before.risk, refused)
        rules = self._tried(self._ruling, before.rules, refused)
        candidate = self._tried(self._watching, None, refused)
        for each in set(refused) - set(before.refused):
            log.error("refused", extra={"error": each})
        made = Artifacts(model, risk, rules, candidate, tuple(refused))
        if made.seals == before.seals:  # what was refused still is, and nothing else has changed
            return False
        self.held = made
        return True

    def _approved(self) -> Model | None:
        version = current_version(self._models_dir)
        seal = seal_of(self._models_dir, version)
        self._policy.check(self._models_dir, version, seal)  # before anything of it is read
        model = load_model(self._models_dir, version)
        return _of(model, model.seal, seal, self._models_dir / version)

    def _signed(self) -> Book:
        def check(version: str, seal: str) -> object:
            return self._risk_policy.check(self._risk_dir, version, seal)

        book = load_book(self._risk_dir, check=check)  # before their figures are read
        for snapshot in book.snapshots:
            check(snapshot.version, snapshot.seal)  # and of what was read
        return book

    def _ruling(self) -> RuleSet:
        try:
            os.lstat(self._rules_dir / CURRENT)
        except FileNotFoundError:
            before = self.held.rules
            if self._rules_policy.signers or (before and before.version) or (self._rules_dir / HISTORY).exists():
                raise ArtifactError(
                    f"{self._rules_dir / CURRENT}: there is none any more; restore it, or promote a version without rules"
                ) from None
            return RuleSet()
        version = current_version(self._rules_dir)
        seal = seal_of(self._rules_dir, version)
        self._rules_policy.check(self._rules_dir, version, seal)
        rules = load_rules(self._rules_dir, version)
        return _of(rules, rules.seal, seal, self._rules_dir / version)

    def _watching(self) -> Model | None:
        if not os.path.lexists(self._models_dir / CANDIDATE):
            return None
        return load_model(self._models_dir, current_version(self._models_dir, CANDIDATE))

    def _tried(self, load: Callable[[], _Loaded], before: _Loaded, refused: list[str]) -> _Loaded:
        try:
            return load()
        except (ArtifactError, RulesError, OSError) as error:
            refused.append(str(error))
            return before

    def _names(self) -> tuple[object, ...]:
        """What stands for all the bytes: the seals of the models and rules named and their approvals, the names of the snapshots, which never change, and theirs."""
        served = (_served(directory) for directory in (self._models_dir, self._rules_dir))
        return *served, _candidate(self._models_dir), _snapshots(self._risk_dir)


def _of(loaded: _Loaded, seal: str, approved: str, path: Path) -> _Loaded:
    """What was loaded, if it is what was approved. Raises `ArtifactError` when it was changed in between."""
    if seal != approved:
        raise ArtifactError(f"{path}: changed while it was read; it will be looked at again")
    return loaded


def policy_of(settings: Settings) -> Policy:
    """Who must approve a model here. Raises `SettingsError`."""
    return Policy.of(_paths(settings.model_signers), settings.model_approvals)


def model_registry(settings: Settings) -> Registry:
    """The models there are here, and who must approve one. Raises `SettingsError`."""
    return Registry(settings.models_dir, policy_of(settings), load_model, evaluated=True, command="models")


def rules_policy_of(settings: Settings) -> Policy:
    """Who must approve rules here. Raises `SettingsError`."""
    return Policy.of(_paths(settings.rules_signers), settings.rules_approvals, RULES)


def rules_registry(settings: Settings) -> Registry:
    """The rules there are here, and who must approve them. Raises `SettingsError`."""
    return Registry(settings.rules_dir, rules_policy_of(settings), load_tested, evaluated=False, command="rules")


def risk_policy_of(settings: Settings) -> Policy:
    """Who must have signed a snapshot of risk here. Raises `SettingsError`."""
    return Policy.of(_paths(settings.risk_signers), settings.risk_approvals, RISK)


def _paths(text: str) -> list[Path]:
    return [Path(each.strip()) for each in text.split(",") if each.strip()]


def _served(directory: Path) -> str:
    """What stands for the version served and its approvals."""
    try:
        version = current_version(directory)
        return " ".join([version, seal_of(directory, version), *approvers(directory, version)])
    except (ArtifactError, OSError) as error:
        return str(error)


def _candidate(models_dir: Path) -> str:
    """What stands for the candidate's bytes; empty for none."""
    if not os.path.lexists(models_dir / CANDIDATE):
        return ""
    try:
        version = current_version(models_dir, CANDIDATE)
        return f"{version} {seal_of(models_dir, version)}"
    except (ArtifactError, OSError) as error:
        return str(error)


def _snapshots(risk_dir: Path) -> tuple[str, ...]:
    """What stands for the snapshots and their signatures."""
    try:
        snapshots = versions_of(risk_dir)
        return (*snapshots, *(each for version in snapshots for each in approvers(risk_dir, version)))
    except (ArtifactError, OSError) as error:
        return (str(error),)
