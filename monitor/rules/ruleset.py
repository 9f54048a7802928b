"""Rules as they are held in memory, and what of them holds for a run's transactions.

A rule holds where its condition is true and, if it measures something, where that reaches a band. Where either is unknown it is *not applicable*, and
where the account has had fewer payments than the rule asks for, its *history is insufficient*: both are counted, and neither means that nothing is wrong.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.decide.policy import Level
from monitor.rules.evaluate import NO_LISTS, Cells, HashOf, Program
from monitor.rules.names import EVENTS, names_in_text, risk_kinds_of
from monitor.rules.tree import Member, Node, names_in, nodes_in


class State(IntEnum):
    """`ACTIVE` rules act; `SHADOW` rules are counted and recorded, and act on nothing; `PAUSED` ones are not looked at."""

    ACTIVE = 0
    SHADOW = 1
    PAUSED = 2


ACTIONS: Mapping[str, Level] = {"review": Level.REVIEW, "block": Level.BLOCK, "allow": Level.ALLOW}
"""As files name them; a block with `overridable = false` is final."""


@dataclass(frozen=True, slots=True)
class Band:
    """From `at_least` of the rule's measure on; the whole of a rule that measures nothing has -inf. `text` has names of fields in braces; `limit_text`: as the file has it."""

    at_least: float
    reason_code: str
    text: str
    action: str
    level: Level
    limit_text: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """`when` is a truth; `measure` a number, or None. `bands` ascend. `history`: payments the account must have had. The texts are the file's."""

    rule_id: str
    version: int
    description: str
    state: State
    when: Node | None
    measure: Node | None
    bands: tuple[Band, ...]
    history: int = 0
    when_text: str = ""
    measure_text: str = ""


@dataclass(frozen=True, slots=True)
class RuleSet:
    """`version` names them, `seal` stands for every byte of the file they came from."""

    version: str = ""
    rules: tuple[Rule, ...] = ()
    seal: str = ""

    @property
    def name(self) -> str:
        """As audit blocks have it: the version, and the beginning of its seal, so that another file of its name is not taken for it."""
        return f"{self.version}@{self.seal[:12]}" if self.version else ""


class Count(NamedTuple):
    """Of one rule over a run: for how many transactions it held, was not applicable, or found too little history."""

    held: int
    not_applicable: int
    insufficient_history: int


@dataclass(frozen=True, slots=True)
class Hits:
    """What held, `h` times, sorted by row, then rule: `rows` int64[h], `rules` int64[h], `bands` int64[h]; `values` float64[h], what the rule measured
    (NaN for nothing). `counts`: one a rule that is not paused, by its place in the set.
    """

    rows: NDArray[np.int64]
    rules: NDArray[np.int64]
    bands: NDArray[np.int64]
    values: NDArray[np.float64]
    counts: Mapping[int, Count]

    def at(self, rows: NDArray[np.int64]) -> "Hits":
        """The same, where row i is `rows[i]`, which ascend."""
        return replace(self, rows=rows[self.rows])

    def of_row(self, row: int) -> Iterator[tuple[int, int, float]]:
        """(rule, band, value) of all that held for a row."""
        first, end = np.searchsorted(self.rows, [row, row + 1])
        yield from zip(
            self.rules[first:end].tolist(), self.bands[first:end].tolist(), self.values[first:end].tolist(), strict=True
        )


class Engine:
    """A set of rules made ready for runs whose texts are hashed by `hash_of`; `lists`: words that lists of the file have from elsewhere too."""

    def __init__(self, ruleset: RuleSet, hash_of: HashOf, lists: Mapping[str, tuple[str, ...]] = NO_LISTS) -> None:
        self.ruleset = ruleset
        self.names = frozenset(name for rule in ruleset.rules for name in rule_names(rule))
        """All that the rules that are not paused look at."""
        self.risk_kinds = risk_kinds_of([*self.names, *_told(ruleset)])
        """Which risks they look up, also to tell them."""
        self._program = Program(hash_of, lists)
        self._ready = [
            _Ready(
                place,
                rule,
                None if rule.when is None else self._program.add(rule.when),
                None if rule.measure is None else self._program.add(rule.measure),
                self._program.column(EVENTS) if rule.history else None,
                np.array([band.at_least for band in rule.bands]),
            )
            for place, rule in enumerate(ruleset.rules)
            if rule.state is not State.PAUSED
        ]
        widest = max((len(rule.bands) for rule in ruleset.rules), default=0)
        self._levels = np.zeros((len(ruleset.rules), widest), np.uint8)
        for place, rule in enumerate(ruleset.rules):
            if rule.state is State.ACTIVE:
                self._levels[place, : len(rule.bands)] = [band.level for band in rule.bands]

    def __len__(self) -> int:
        """Rules that are looked at."""
        return len(self._ready)

    def held(self, cells: Cells) -> Hits:
        """All that holds for the transactions of `cells`."""
        results, counts, n = self._program.run(cells), dict[int, Count](), len(cells)
        rules, rows, bands, values = [], [], [], []
        for ready in self._ready:
            true, counts[ready.place] = ready.true(results, n)
            if not true.size:
                continue
            rules.append(np.full(true.size, ready.place))
            rows.append(true)
            measured, band = ready.measured(results, true, n)
            values.append(measured)
            bands.append(band)
        if not rows:
            nothing = np.zeros(0, np.int64)
            return Hits(nothing, nothing, nothing, np.zeros(0), counts)
        at = np.concatenate(rows)
        order = np.argsort(at, kind="stable")  # rules stand in their order already
        return Hits(
            at[order], np.concatenate(rules)[order], np.concatenate(bands)[order], np.concatenate(values)[order], counts
        )

    def levels(self, hits: Hits, n: int) -> NDArray[np.uint8]:
        """The highest level of what active rules ask for, uint8[n] of `Level`, for each of the `n` transactions that `hits` are of."""
        found = np.zeros(n, np.uint8)
        np.maximum.at(found, hits.rows, self._levels[hits.rules, hits.bands])
        return found


@dataclass(frozen=True, slots=True)
class _Ready:
    """A rule, and where a program's results have its condition, its measure and its account's history."""

    place: int
    rule: Rule
    when: int | None
    measure: int | None
    events: int | None
    limits: NDArray[np.float64]

    def true(self, results: list[Any], n: int) -> tuple[NDArray[np.int64], Count]:
        """The rows it holds for, and how it went."""
        true, false = (np.True_, np.False_) if self.when is None else results[self.when]
        if self.measure is not None:
            values, least = results[self.measure], self.limits[0]
            true, false = true & (values >= least), false | (values < least)
        short = 0
        if self.events is not None:
            young = results[self.events] < self.rule.history
            short = int(np.count_nonzero(young & ~false))
            true, false = true & ~young, false | young
        rows = _whole(true, n).nonzero()[0]
        return rows, Count(rows.size, n - rows.size - int(np.count_nonzero(_whole(false, n))), short)

    def measured(
        self, results: list[Any], rows: NDArray[np.int64], n: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """What it measured for the rows it holds for, and the bands that they are in."""
        if self.measure is None:
            return np.full(rows.size, np.nan), np.zeros(rows.size, np.int64)
        values = _whole(results[self.measure], n)[rows]
        return values, np.searchsorted(self.limits, values, side="right") - 1


def _whole(values: Any, n: int) -> NDArray[Any]:
    """What may be one value for all, as `n`; `np.broadcast_to` would take longer than most rules."""
    found: NDArray[Any] = values if np.shape(values) == (n,) else np.full(n, values)
    return found


def _told(ruleset: RuleSet) -> Iterator[str]:
    """What stands in the texts of bands."""
    for rule in ruleset.rules:
        if rule.state is not State.PAUSED:
            for band in rule.bands:
                yield from names_in_text(band.text)


def list_uses(ruleset: RuleSet) -> dict[str, set[str]]:
    """The fields that rules which are not paused look up, by the name of the list."""
    uses: dict[str, set[str]] = {}
    for rule in ruleset.rules:
        trees = () if rule.state is State.PAUSED else (rule.when, rule.measure)
        for part in (part for tree in trees if tree is not None for part in nodes_in(tree)):
            if isinstance(part, Member) and part.list_name:
                uses.setdefault(part.list_name, set()).add(part.name)
    return uses


def rule_names(rule: Rule) -> Iterator[str]:
    """What a rule looks at, unless it is paused; names may come twice."""
    if rule.state is not State.PAUSED:
        for tree in (rule.when, rule.measure):
            if tree is not None:
                yield from names_in(tree)
        if rule.history:
            yield EVENTS
