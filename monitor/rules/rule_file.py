"""A file of rules: TOML, checked whole, and every complaint with its line and column. docs/rules.md has the format, schemas/rules.schema.json for editors.

A condition stands where the file says it; what is wrong inside it is found at its own place in the file.
"""

import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from monitor.decide.policy import MODEL, Level
from monitor.errors import RulesError
from monitor.rules.names import NAMES, Kind, names_in_text
from monitor.rules.python_tree import ExpressionError
from monitor.rules.ruleset import ACTIONS, Band, Rule, RuleSet, State
from monitor.rules.syntax import parse
from monitor.rules.tree import Constant, Node
from monitor.rules.wording import LIMIT, VALUE

MAX_RULES = 1_000

_Name = Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,63}$")]
_NUMBERS = frozenset({Kind.NUMBER, Kind.MONEY, Kind.TIME})
_TRUTHS = frozenset({Kind.TRUTH})


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class BandEntry(_Entry):
    """What follows when a rule holds, from a limit of its measure on."""

    at_least: float | int | str | None = Field(
        None, description="The band's lower limit: a number, or an expression of constants such as 'money(500)'."
    )
    reason_code: _Name = Field(description="A stable code for programs: the reason of the alert.")
    text: str = Field(
        min_length=1,
        max_length=500,
        description="A sentence for people; {name} is replaced by the transaction's value, {value} by what the rule measured, {limit} by at_least.",
    )
    action: Literal["review", "block", "allow"] = Field(description="What is done.")
    overridable: bool = Field(True, description="false, with action = 'block': no allow lifts it.")


class RuleEntry(_Entry):
    """One rule."""

    id: _Name = Field(description="Stable: alerts, metrics and suppressions name it.")
    version: int = Field(ge=1, description="Another with every change of what the rule means.")
    description: str = Field(min_length=1, max_length=1_000, description="For people.")
    when: str | None = Field(None, description="The condition. Without one the rule's measure alone decides.")
    measure: str | None = Field(None, description="A number that bands are about.")
    history: int = Field(
        0, ge=0, description="Payments the account must have had; below it the rule has insufficient history."
    )
    state: Literal["active", "shadow", "paused"] = Field(
        "active", description="Shadow rules are counted and recorded and never act."
    )
    band: list[BandEntry] = Field(min_length=1, max_length=16)


class RulesEntry(_Entry):
    """The whole file."""

    version: Annotated[str, Field(pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] = Field(
        description="Names this file in every audit block."
    )
    lists: dict[_Name, list[str]] = Field(default_factory=dict, description="Words by the name of their list.")
    rule: list[RuleEntry] = Field(default_factory=list, max_length=MAX_RULES)


def read_rules(text: str, path: Path, seal: str = "") -> RuleSet:
    """The rules in the `text` of `path`. Raises `RulesError` with the place of the first thing that is wrong."""
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits is a plain ValueError
        raise RulesError(f"{_toml_place(path, str(error))}; see docs/rules.md") from None
    places = Places(text)
    try:
        entry = RulesEntry.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        where = tuple(first["loc"])
        raise RulesError(f"{path}:{places.at(where)}: {_dotted(where)}: {_said(first)}; see docs/rules.md") from None
    reader = _Reader(path, places, {name: tuple(sorted(set(words))) for name, words in entry.lists.items()})
    seen: dict[str, int] = {}
    for number, rule in enumerate(entry.rule):
        if rule.id in seen:
            raise reader.wrong(
                ("rule", number, "id"), f"{rule.id!r} is the id of rule {seen[rule.id] + 1} too; choose another"
            )
        seen[rule.id] = number
    return RuleSet(entry.version, tuple(reader.rule(number, rule) for number, rule in enumerate(entry.rule)), seal)


class _Reader:
    def __init__(self, path: Path, places: "Places", lists: Mapping[str, tuple[str, ...]]) -> None:
        self._path, self._places, self._lists = path, places, lists
        for name in lists:
            if name in NAMES:
                raise self.wrong(("lists", name), f"{name} is a field of transactions; give the list another name")

    def wrong(self, where: tuple[str | int, ...], message: str) -> RulesError:
        return RulesError(f"{self._path}:{self._places.at(where)}: {message}")

    def rule(self, number: int, entry: RuleEntry) -> Rule:
        here: tuple[str | int, ...] = ("rule", number)
        if entry.id == MODEL:
            raise self.wrong((*here, "id"), f"{MODEL} is what suppressions call the model; give the rule another id")
        if entry.when is None and entry.measure is None:
            raise self.wrong(here, f"{entry.id}: neither when nor measure: it would hold always; add a condition")
        when = None if entry.when is None else self._tree((*here, "when"), entry.when, _TRUTHS)
        measure = None if entry.measure is None else self._tree((*here, "measure"), entry.measure, _NUMBERS)
        if measure is None and len(entry.band) > 1:
            raise self.wrong(
                (*here, "band", 1), f"{entry.id}: {len(entry.band)} bands and nothing measured; add measure"
            )
        bands: list[Band] = []
        for at, each in enumerate(entry.band):
            band = self._band((*here, "band", at), each, measure)
            if band.at_least in [before.at_least for before in bands]:
                raise self.wrong(
                    (*here, "band", at),
                    f"{entry.id}: another band begins at {each.at_least} too; give each its own limit",
                )
            bands.append(band)
        return Rule(
            entry.id, entry.version, entry.description, State[entry.state.upper()], when, measure,
            tuple(sorted(bands, key=lambda band: band.at_least)), entry.history, " ".join((entry.when or "").split()), entry.measure or "",
        )  # fmt: skip

    def _band(self, here: tuple[str | int, ...], entry: BandEntry, measure: Node | None) -> Band:
        if (measure is None) is not (entry.at_least is None):
            raise self.wrong(
                (*here, "at_least"),
                "at_least without anything measured; add measure, or leave it out"
                if measure is None
                else "a rule that measures something needs at_least in each band",
            )
        if not entry.overridable and entry.action != "block":
            raise self.wrong((*here, "overridable"), f"only a block can be final, this is {entry.action}; leave it out")
        for name in names_in_text(entry.text):
            if name not in NAMES and not (name in (VALUE, LIMIT) and measure is not None):
                raise self.wrong((*here, "text"), f"{{{name}}}: no such name; see docs/rules.md for those there are")
        level = ACTIONS[entry.action] if entry.overridable else Level.FINAL_BLOCK
        return Band(
            self._limit(here, entry.at_least, measure),
            entry.reason_code,
            entry.text,
            entry.action,
            level,
            None if entry.at_least is None else str(entry.at_least),
        )

    def _limit(self, here: tuple[str | int, ...], at_least: float | str | None, measure: Node | None) -> float:
        if at_least is None or measure is None:
            return float("-inf")
        where = (*here, "at_least")
        found = (
            self._tree(where, at_least, _NUMBERS)
            if isinstance(at_least, str)
            else Constant(Kind.NUMBER, _number(at_least))
        )
        if not isinstance(found, Constant):
            raise self.wrong(where, "a limit is a constant, such as 5 or money(500)")
        if found.kind is not measure.kind:
            raise self.wrong(where, f"{found.kind.value}, but what is measured is {measure.kind.value}")
        if not math.isfinite(found.value):
            raise self.wrong(where, f"{at_least}: a limit is a finite number")
        return found.value

    def _tree(self, where: tuple[str | int, ...], text: str, kinds: frozenset[Kind]) -> Node:
        try:
            return parse(text, self._lists, kinds)
        except ExpressionError as error:
            place = self._places.inside(where, error.line, error.column)
            raise RulesError(f"{self._path}:{place}: {_dotted(where)}: {error}") from None


class Places:
    """Where keys and the texts of their values stand in a TOML file: `line:column`, both counted from 1."""

    def __init__(self, text: str) -> None:
        self._places = dict(_places(text.splitlines()))

    def at(self, where: tuple[str | int, ...]) -> str:
        """Of a key, or of the nearest thing around it that has a place."""
        while where and where not in self._places:
            where = where[:-1]
        line, column, _, _ = self._places.get(where, (1, 1, 1, 1))
        return f"{line}:{column}"

    def inside(self, where: tuple[str | int, ...], line: int, column: int) -> str:
        """Of a place inside a key's text: its `line` from 1, its `column` from 0."""
        _, _, first_line, first_column = self._places.get(where, (1, 1, 1, 1))
        return f"{first_line + line - 1}:{first_column + column if line == 1 else column + 1}"


_HEADER = re.compile(r"^\s*\[{1,2}([^\[\]]*)\]")
_KEY = re.compile(r"""^(\s*)([A-Za-z0-9_-]+)\s*=\s*(\"\"\"|'''|\"|')?""")

_Place = tuple[int, int, int, int]


def _places(lines: list[str]) -> Iterator[tuple[tuple[str | int, ...], _Place]]:
    """(where, (line, column of the key, line, column where the text of its value begins)), as the file goes on."""
    table: tuple[str | int, ...] = ()
    counts: dict[tuple[str | int, ...], int] = {}
    within = ""
    for number, line in enumerate(lines, 1):
        if within:
            within = "" if within in line else within
            continue
        header = _HEADER.match(line)
        if header:
            table = _table(header.group(1), line.strip().startswith("[["), counts)
            yield table, (number, 1, number, 1)
            continue
        key = _KEY.match(line)
        if key:
            quote = key.group(3) or ""
            begins = (number, key.end() + 1)
            if len(quote) == 3 and quote not in line[key.end() :]:
                within = quote
                if not line[key.end() :].strip():  # TOML leaves out a newline that follows the quotes at once
                    begins = (number + 1, 1)
            yield (*table, key.group(2)), (number, len(key.group(1)) + 1, *begins)


def _table(name: str, repeated: bool, counts: dict[tuple[str | int, ...], int]) -> tuple[str | int, ...]:
    """The full name of a table, with the number of each repeated one in it."""
    where: tuple[str | int, ...] = ()
    parts = [part.strip() for part in name.split(".")]
    for at, part in enumerate(parts):
        where = (*where, part)
        if repeated and at == len(parts) - 1:
            counts[where] = counts.get(where, -1) + 1
        if where in counts:
            where = (*where, counts[where])
    return where


def _number(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _toml_place(path: Path, message: str) -> str:
    found = re.search(r"\(at line (\d+), column (\d+)\)", message)
    return (
        f"{path}:{found.group(1)}:{found.group(2)}: {message[: found.start()].strip()}"
        if found
        else f"{path}: {message}"
    )


def _dotted(where: tuple[str | int, ...]) -> str:
    return ".".join(str(each + 1) if isinstance(each, int) else each for each in where)


def _said(error: Mapping[str, Any]) -> str:
    if error["type"] == "extra_forbidden":
        return "no such key; correct it or leave it out"
    if error["type"] == "missing":
        return "missing; add it"
    return f"{str(error['input'])[:60]!r}: {error['msg'].lower()}"
