"""What was served once: the model, the rules and the snapshots of risk that a block names, found again on disk, and its controls, rebuilt from their topic."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from monitor.alerting import cooldown_of
from monitor.controls.controls import Controls
from monitor.controls.history import ControlsHistory
from monitor.errors import ArtifactError, ControlsError, RulesError
from monitor.rails.walled import Walled
from monitor.risk.book import Book, Snapshot
from monitor.risk.snapshots import load_snapshot
from monitor.rules.ruleset import RuleSet
from monitor.rules.stored import load_rules
from monitor.scoring.artifact import load_model
from monitor.scoring.model import Model


class Served(NamedTuple):
    """What a run was decided with; `model` None, `rules` without any: with nothing, as the block says."""

    model: Model | None
    rules: RuleSet
    risk: Book
    walled: Walled
    cooldown_ms: int
    controls: Controls


class Past:
    """Models, rules, snapshots and controls by the names that blocks give them; each is read once while it goes on being named."""

    def __init__(self, models_dir: Path, rules_dir: Path, risk_dir: Path, controls: ControlsHistory) -> None:
        self._models_dir, self._rules_dir, self._risk_dir = models_dir, rules_dir, risk_dir
        self._controls = controls
        self._rules = {"": RuleSet()}
        self._models: dict[tuple[str, str], Model] = {}
        self._book = Book()
        self._missing: dict[str, str] = {}

    def served(self, versions: Mapping[str, str]) -> Served | None:
        """What a block of these versions was scored with; None, and told by `take_missing`, when it cannot be had here any more."""
        try:
            model = self._model(versions.get("model", ""), versions.get("feature_set", ""))
            rules, risk = self._ruled(versions.get("rules", "")), self._risk(versions)
            walled, controls = _walled(versions.get("rails", "")), self._controls.at(versions.get("controls", ""))
            return Served(model, rules, risk, walled, cooldown_of(versions), controls)
        except (ArtifactError, ControlsError, RulesError) as error:
            named = ("model", "rules", "risk", "rails", "controls")
            names = ", ".join(f"{name} {versions.get(name, '')!r}" for name in named)
            self._missing[names] = str(error)
            return None

    def take_missing(self) -> dict[str, str]:
        """What could not be had since this was asked last, by name, and why."""
        missing, self._missing = self._missing, {}
        return missing

    def _model(self, version: str, feature_set: str) -> Model | None:
        if not version:
            return None
        if (version, feature_set) not in self._models:
            model = load_model(self._models_dir, version)
            if model.feature_set != feature_set:
                raise ArtifactError(
                    f"{self._models_dir / version}: feature set {model.feature_set}, the audit log says {feature_set}: "
                    "another model of that name; restore the one that was served"
                )
            self._models[version, feature_set] = model
        return self._models[version, feature_set]

    def _ruled(self, name: str) -> RuleSet:
        if name not in self._rules:
            rules = load_rules(self._rules_dir, name.partition("@")[0])
            if rules.name != name:
                raise ArtifactError(
                    f"{self._rules_dir / rules.version}: {rules.name}, the audit log says {name}: other rules of that name; restore those that were in force"
                )
            self._rules[name] = rules
        return self._rules[name]

    def _risk(self, versions: Mapping[str, str]) -> Book:
        text = versions.get("risk", "")
        if text != self._book.version:
            held: dict[str, Snapshot] = {each.version: each for each in self._book.snapshots}
            names = text.split(",") if text else []
            self._book = Book.of(held[name] if name in held else load_snapshot(self._risk_dir, name) for name in names)
        return self._book


def _walled(name: str) -> Walled:
    try:
        return Walled.named(name)
    except ValueError as error:
        raise ArtifactError(
            f"rails {name!r}: names what this version does not know ({error}); use the one that decided"
        ) from None
