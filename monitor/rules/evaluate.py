"""Conditions over a run: trees become a list of steps, each of which works one part out for all transactions at a time, and no part twice.

Numbers are float64[n], NaN for unknown. A truth is two arrays, where it is true and where it is false; where it is neither it is unknown. What
is the same for all transactions may be one value instead of n.
"""

from collections.abc import Callable, Mapping, Set
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.rules.names import NAMES, Kind
from monitor.rules.tree import Arithmetic, Compare, Constant, Known, Logic, Member, Name, Node, Same

Numbers = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Truth(NamedTuple):
    """Of `n` transactions, bool[n] each."""

    true: Bools
    false: Bools


class Cells(Protocol):
    """What `n` transactions hold, by name."""

    def __len__(self) -> int: ...

    def number(self, name: str) -> Numbers:
        """float64[n]; NaN for unknown, money in minor units, time in seconds, a truth 0 or 1."""
        ...

    def text(self, name: str) -> NDArray[np.uint64]:
        """Hashes, uint64[n]; 0 for null."""
        ...

    def symbol(self, name: str) -> NDArray[np.int64]:
        """Which of the name's symbols, int64[n]."""
        ...


HashOf = Callable[[str], int]
"""Of a text, under the key that the cells' hashes were made with."""

_Step = Callable[[list[Any], Cells], Any]


NO_LISTS: Mapping[str, tuple[str, ...]] = MappingProxyType({})


class Program:
    """Trees, added one by one; `run` works all of them out. Equal parts are one step, whichever tree they stand in.

    `lists`: words beside those of the trees, by the name of their list.
    """

    def __init__(self, hash_of: HashOf, lists: Mapping[str, tuple[str, ...]] = NO_LISTS) -> None:
        self._hash_of, self._lists = hash_of, lists
        self._steps: list[_Step] = []
        self._places: dict[tuple[str, Node], int] = {}

    def add(self, node: Node) -> int:
        """Where the results of `run` will have the node's: a `Truth` if that is its kind, else `Numbers`."""
        return self._truth(node) if node.kind is Kind.TRUTH else self._number(node)

    def column(self, name: str) -> int:
        """Where they will have a number that is no part of a tree."""
        return self._number(Name(NAMES[name].kind, name))

    def run(self, cells: Cells) -> list[Any]:
        """The result of each step."""
        results: list[Any] = []
        with np.errstate(all="ignore"):
            for step in self._steps:
                results.append(step(results, cells))
        return results

    def _step(self, sort: str, node: Node, made: Callable[[], _Step]) -> int:
        known = self._places.get((sort, node))
        if known is not None:
            return known
        step = made()  # adds the steps it needs before its own
        self._steps.append(step)
        return self._places.setdefault((sort, node), len(self._steps) - 1)

    def _truth(self, node: Node) -> int:
        return self._step("truth", node, lambda: self._truth_step(node))

    def _number(self, node: Node) -> int:
        return self._step("number", node, lambda: self._number_step(node))

    def _truth_step(self, node: Node) -> _Step:
        match node:
            case Logic(operator=operator, operands=operands):
                return _logic(operator, [self._truth(each) for each in operands])
            case Compare(operator=operator, left=left, right=right):
                return _comparison(
                    operator, self._number(left), self._number(right), _may_lack(left) or _may_lack(right)
                )
            case Member(name=name, words=words, list_name=listed):
                return self._member(name, {*words, *self._lists.get(listed, ())})
            case Same(left=left, right=right):
                return _same(left, right)
            case Known(operand=operand):
                return self._known(operand)
            case Name(name=name):
                return lambda _results, cells: _two(cells.number(name) > 0)
        raise TypeError(f"{node}: not a truth")

    def _number_step(self, node: Node) -> _Step:
        match node:
            case Constant(value=value):
                constant = np.float64(value)
                return lambda _results, _cells: constant
            case Name(name=name):
                return lambda _results, cells: cells.number(name)
            case Arithmetic(operator=operator, operands=operands):
                return _arithmetic(operator, [self._number(each) for each in operands])
        raise TypeError(f"{node}: not a number")

    def _member(self, name: str, words: Set[str]) -> _Step:
        symbols = NAMES[name].symbols
        if symbols:
            chosen = np.array([symbol in words for symbol in symbols])
            return lambda _results, cells: _two(chosen[cells.symbol(name)])
        wanted = np.sort(np.array([self._hash_of(word) for word in words], np.uint64))
        return lambda _results, cells: _among(cells.text(name), wanted)

    def _known(self, node: Node) -> _Step:
        if node.kind is Kind.TRUTH:
            truth = self._truth(node)
            return lambda results, _cells: _two(results[truth].true | results[truth].false)
        if isinstance(node, Name) and node.kind is Kind.TEXT:
            return lambda _results, cells: _two(cells.text(node.name) != 0)
        if isinstance(node, Name) and node.kind is Kind.SYMBOL:
            return lambda _results, _cells: _two(np.ones(1, np.bool_))
        number = self._number(node)
        return lambda results, _cells: _two(~np.isnan(results[number]))


def _may_lack(node: Node) -> bool:
    """Whether a number can be unknown; sums can overflow."""
    return isinstance(node, Arithmetic) or (isinstance(node, Name) and NAMES[node.name].lacking)


def _two(true: Bools) -> Truth:
    """Of what is never unknown."""
    return Truth(true, ~true)


def _logic(operator: str, places: list[int]) -> _Step:
    first, others = places[0], places[1:]
    if operator == "not":
        return lambda results, _cells: Truth(results[first].false, results[first].true)

    def both(results: list[Any], _cells: Cells) -> Truth:
        true, false = results[first]
        for place in others:
            true, false = true & results[place].true, false | results[place].false
        return Truth(true, false)

    def either(results: list[Any], _cells: Cells) -> Truth:
        true, false = results[first]
        for place in others:
            true, false = true | results[place].true, false & results[place].false
        return Truth(true, false)

    return both if operator == "and" else either


def _comparison(operator: str, left: int, right: int, may_lack: bool) -> _Step:
    compare = _COMPARISONS[operator]
    if not may_lack:
        return lambda results, _cells: _two(compare(results[left], results[right]))

    def compared(results: list[Any], _cells: Cells) -> Truth:
        one, other = results[left], results[right]
        true = compare(one, other)
        return Truth(true, ~true & ~(np.isnan(one) | np.isnan(other)))

    return compared


def _same(left: str, right: str) -> _Step:
    def same(_results: list[Any], cells: Cells) -> Truth:
        mine, theirs = cells.text(left), cells.text(right)
        there = (mine != 0) & (theirs != 0)
        return Truth((mine == theirs) & there, (mine != theirs) & there)

    return same


def _among(hashes: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> Truth:
    there = hashes != 0
    if not wanted.size:
        return Truth(np.zeros(hashes.size, np.bool_), there)
    places = np.searchsorted(wanted, hashes)
    places[places == wanted.size] = 0
    true = wanted[places] == hashes
    return Truth(true & there, ~true & there)


def _arithmetic(operator: str, places: list[int]) -> _Step:
    reckon = _ARITHMETIC[operator]

    def reckoned(results: list[Any], _cells: Cells) -> Numbers:
        found = reckon(*(results[place] for place in places))
        return np.where(np.isfinite(found), found, np.nan)

    return reckoned


_COMPARISONS: Mapping[str, Callable[[Numbers, Numbers], Bools]] = {
    "<": np.less,
    "<=": np.less_equal,
    "==": np.equal,
    "!=": lambda one, other: (one < other) | (one > other),
}
"""Nothing is true of what is unknown."""

_ARITHMETIC: Mapping[str, Callable[..., Numbers]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "abs": np.abs,
    "least": np.minimum,
    "greatest": np.maximum,
}
