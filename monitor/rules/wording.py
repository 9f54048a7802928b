"""What a rule says of a transaction: its text, with the transaction's own values."""

from collections.abc import Iterator
from dataclasses import dataclass

from monitor.features.catalogue import CATALOGUE, INDEX
from monitor.features.readable import UNKNOWN, readable
from monitor.rules.cells import RunCells
from monitor.rules.names import BRACES, NAMES, Kind
from monitor.rules.ruleset import Band, Hits, Rule, RuleSet, State
from monitor.rules.tree import Name
from monitor.wire.columns import STRINGS

VALUE, LIMIT = "value", "limit"
"""Names in texts beside those of transactions: what the rule measured, and where its band begins."""

_UNITS = {Kind.MONEY: "base minor", Kind.TIME: "s"}


@dataclass(frozen=True, slots=True)
class Said:
    """A rule that held for a transaction, in words."""

    rule: Rule
    band: Band
    text: str


def said_of(row: int, place: int, hits: Hits, rules: RuleSet, cells: RunCells) -> Iterator[Said]:
    """All active rules that held for `row` of `hits`, which is at `place` of `cells`; the strongest action first, then as the file has them."""
    held = [
        (rule, rule.bands[band], value)
        for rule, band, value in ((rules.rules[number], band, value) for number, band, value in hits.of_row(row))
        if rule.state is State.ACTIVE
    ]
    held.sort(key=lambda each: -each[1].level)
    for rule, band, value in held:
        yield Said(rule, band, _text(rule, band, value, place, cells))


def _text(rule: Rule, band: Band, value: float, place: int, cells: RunCells) -> str:
    unit = _unit(rule)
    given = {VALUE: lambda: readable(unit, value), LIMIT: lambda: readable(unit, band.at_least)}
    return BRACES.sub(lambda found: given.get(found[1], lambda: _cell(found[1], place, cells))(), band.text)


def _cell(name: str, place: int, cells: RunCells) -> str:
    named = NAMES[name]
    if named.kind is Kind.TEXT:
        return cells.columns.text(STRINGS.index(name), int(cells.rows[place])) or UNKNOWN
    if named.kind is Kind.SYMBOL:
        return named.symbols[int(cells.symbol(name)[place])]
    value = float(cells.number(name)[place])
    if named.kind is Kind.TRUTH:
        return "yes" if value > 0 else "no"
    return readable(_UNITS.get(named.kind, named.unit), value)


def _unit(rule: Rule) -> str:
    """Of what it measures: a feature's own, else its kind's."""
    if rule.measure is None:
        return ""
    if isinstance(rule.measure, Name) and rule.measure.name in INDEX and rule.measure.kind is Kind.NUMBER:
        return CATALOGUE[INDEX[rule.measure.name]].unit
    return _UNITS.get(rule.measure.kind, "")
