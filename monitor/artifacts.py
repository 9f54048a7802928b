"""What a worker loads from disk and may replace while it runs: the model, and the book of risk.

Both are read whole, checked, and only then taken; a run is decided with what was there when it began, never with a mixture. What is refused
changes nothing: the one before goes on, and the refusal is told.
"""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from monitor.errors import ArtifactError
from monitor.registry.approvals import RISK, Policy, approvers
from monitor.risk.book import Book
from monitor.risk.snapshots import load_book, versions_of
from monitor.scoring.artifact import CANDIDATE, current_version, load_model, seal_of
from monitor.scoring.model import Model
from monitor.settings import Settings

log = logging.getLogger(__name__)

_Loaded = TypeVar("_Loaded")


@dataclass(frozen=True, slots=True)
class Artifacts:
    """`model` None: none could be loaded, and decisions are made without scores. `candidate` scores beside it and acts on nothing; None for none, or
    for one that was refused. `refused`: what was, the last time it was looked at, and why.
    """

    model: Model | None
    risk: Book
    candidate: Model | None = None
    refused: tuple[str, ...] = ()


class Shelf:
    """The artifacts as they lie on disk, read again only when something there has changed."""

    def __init__(self, settings: Settings) -> None:
        self._models_dir, self._risk_dir = settings.models_dir, settings.risk_dir
        self._policy, self._risk_policy = policy_of(settings), risk_policy_of(settings)
        self._seen: tuple[str, str, tuple[str, ...]] | None = None
        self.held = Artifacts(None, Book())

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
        candidate = self._tried(self._watching, None, refused)
        self.held = Artifacts(model, risk, candidate, tuple(refused))
        for each in set(refused) - set(before.refused):
            log.error("refused", extra={"error": each})
        return True

    def _approved(self) -> Model | None:
        model = load_model(self._models_dir)
        self._policy.check(self._models_dir, model.version, model.seal)
        return model

    def _signed(self) -> Book:
        book = load_book(self._risk_dir)
        for snapshot in book.snapshots:
            self._risk_policy.check(self._risk_dir, snapshot.version, snapshot.seal)
        return book

    def _watching(self) -> Model | None:
        if not os.path.lexists(self._models_dir / CANDIDATE):
            return None
        return load_model(self._models_dir, current_version(self._models_dir, CANDIDATE))

    def _tried(self, load: Callable[[], _Loaded], before: _Loaded, refused: list[str]) -> _Loaded:
        try:
            return load()
        except (ArtifactError, OSError) as error:
            refused.append(str(error))
            return before

    def _names(self) -> tuple[str, str, tuple[str, ...]]:
        """What stands for all the bytes: the seals of the models named and their approvals, the names of the snapshots, which never change, and theirs."""
        try:
            version = current_version(self._models_dir)
            model = " ".join([version, seal_of(self._models_dir, version), *approvers(self._models_dir, version)])
        except (ArtifactError, OSError) as error:
            model = str(error)
        return model, _candidate(self._models_dir), _snapshots(self._risk_dir)


def policy_of(settings: Settings) -> Policy:
    """Who must approve a model here. Raises `SettingsError`."""
    return Policy.of(_paths(settings.model_signers), settings.model_approvals)


def risk_policy_of(settings: Settings) -> Policy:
    """Who must have signed a snapshot of risk here. Raises `SettingsError`."""
    return Policy.of(_paths(settings.risk_signers), settings.risk_approvals, RISK)


def _paths(text: str) -> list[Path]:
    return [Path(each.strip()) for each in text.split(",") if each.strip()]


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
