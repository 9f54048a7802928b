"""Tests that stand beside a file of rules: a transaction as far as a rule looks at it, and what the rule must say.

::

    [[case]]
    rule = "burst"
    name = "ten within five minutes are blocked"
    given = {count_5m = 10, channel = "card", is_credit = false, amount = "money(12.50)"}
    expect = "burst_high"        # a reason code of the rule, or not_held, not_applicable, insufficient_history
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from monitor.errors import RulesError
from monitor.rules.evaluate import HashOf
from monitor.rules.names import NAMES, Kind
from monitor.rules.python_tree import ExpressionError
from monitor.rules.ruleset import Engine, Rule, RuleSet, State
from monitor.rules.syntax import parse
from monitor.rules.tree import Constant

NOT_HELD, NOT_APPLICABLE, INSUFFICIENT = "not_held", "not_applicable", "insufficient_history"


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class CaseEntry(_Entry):
    """One test of one rule."""

    rule: str = Field(description="The id of the rule.")
    name: str = Field(min_length=1, description="What is expected, in words.")
    given: dict[str, bool | int | float | str] = Field(
        default_factory=dict, description="Values by name; one that may be unknown is, when it is left out."
    )
    expect: Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,63}$")] = Field(
        description="A reason code of the rule, or not_held, not_applicable, insufficient_history."
    )


class CasesEntry(_Entry):
    """The whole file."""

    case: list[CaseEntry] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a case went: `found` is what the rule said, `expected` what it must."""

    rule_id: str
    name: str
    expected: str
    found: str

    @property
    def passed(self) -> bool:
        return self.found == self.expected


def run_cases(text: str, path: Path, rules: RuleSet) -> list[Outcome]:
    """All cases in the `text` of `path`, against `rules`. Raises `RulesError` for a file that makes no sense."""
    try:
        entry = CasesEntry.model_validate(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, ValidationError, RecursionError) as error:
        raise RulesError(f"{path}: {str(error).splitlines()[0]}; see docs/rules.md") from None
    by_id = {rule.rule_id: rule for rule in rules.rules}
    return [_run(number, case, by_id, path) for number, case in enumerate(entry.case, 1)]


def _run(number: int, case: CaseEntry, rules: Mapping[str, Rule], path: Path) -> Outcome:
    where = f"{path}: case {number} ({case.name})"
    rule = rules.get(case.rule)
    if rule is None:
        raise RulesError(f"{where}: rule: {case.rule!r}: no such rule; correct the name")
    known = {NOT_HELD, NOT_APPLICABLE, INSUFFICIENT, *(band.reason_code for band in rule.bands)}
    if case.expect not in known:
        raise RulesError(f"{where}: expect: {case.expect!r}: the rule says one of {', '.join(sorted(known))}")
    words: list[str] = []

    def hash_of(word: str) -> int:
        if word not in words:
            words.append(word)
        return words.index(word) + 1

    engine = Engine(RuleSet("case", (replace(rule, state=State.ACTIVE),)), hash_of)
    cells = _CaseCells({name: _value(name, given, where) for name, given in case.given.items()}, hash_of)
    missing = sorted(name for name in engine.names - set(case.given) if not NAMES[name].lacking)
    if missing:
        raise RulesError(
            f"{where}: given: {', '.join(missing)}: the rule looks at it, and it is never unknown; give it"
        )
    hits = engine.held(cells)
    count = hits.counts[0]
    if count.held:
        found = rule.bands[int(hits.bands[0])].reason_code
    elif count.insufficient_history:
        found = INSUFFICIENT
    else:
        found = NOT_APPLICABLE if count.not_applicable else NOT_HELD
    return Outcome(case.rule, case.name, case.expect, found)


def _value(name: str, given: bool | float | str, where: str) -> float | str:
    """A word, or a number in the unit that rules see."""
    if name not in NAMES:
        raise RulesError(f"{where}: given.{name}: no such name; see docs/rules.md")
    named = NAMES[name]
    if named.kind in (Kind.TEXT, Kind.SYMBOL):
        if not isinstance(given, str) or (named.symbols and given not in named.symbols):
            raise RulesError(f"{where}: given.{name}: {given!r}: {', '.join(named.symbols) or 'a text'} is needed")
        return given
    if named.kind is Kind.TRUTH:
        if not isinstance(given, bool):
            raise RulesError(f"{where}: given.{name}: {given!r}: true or false is needed")
        return float(given)
    if isinstance(given, str):
        try:
            tree = parse(given, {}, frozenset({named.kind}))
        except ExpressionError as error:
            raise RulesError(f"{where}: given.{name}: {given!r}: {error}") from None
        if isinstance(tree, Constant):
            return tree.value
    elif not isinstance(given, bool) and named.kind is Kind.NUMBER:
        return float(given)
    example = {Kind.MONEY: '"money(12.50)"', Kind.TIME: '"minutes(5)"'}.get(named.kind, "3")
    raise RulesError(f"{where}: given.{name}: {given!r}: {named.kind.value} is needed, such as {example}")


class _CaseCells:
    """One transaction."""

    def __init__(self, values: Mapping[str, float | str], hash_of: HashOf) -> None:
        self._values, self._hash_of = values, hash_of

    def __len__(self) -> int:
        return 1

    def number(self, name: str) -> NDArray[np.float64]:
        return np.array([float(self._values.get(name, np.nan))])

    def text(self, name: str) -> NDArray[np.uint64]:
        word = self._values.get(name)
        return np.array([0 if word is None else self._hash_of(str(word))], np.uint64)

    def symbol(self, name: str) -> NDArray[np.int64]:
        return np.array([NAMES[name].symbols.index(str(self._values[name]))])


def failures(outcomes: Sequence[Outcome]) -> str:
    """Those that did not pass, in words; empty when all did."""
    return "; ".join(
        f"{each.rule_id}: {each.name}: expected {each.expected}, found {each.found}"
        for each in outcomes
        if not each.passed
    )
