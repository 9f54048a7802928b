"""Conditions of rules, from text to a checked tree. The grammar is Python's own for expressions; nothing is ever run as Python.

::

    condition   not | and | or over truths, parentheses
    truth       x < y, x <= y < z, ==, !=; country in ("AT", "DE"), merchant_id not in watched; a truth feature; known(x)
    number      + - * / over names, numbers, money(500), seconds(30), minutes(5), hours(2), days(7), abs(x), least(x, y), greatest(x, y)

A tree is total: it has a value for whatever a transaction holds, which may be *unknown* (a field that is null, risk without labels, a division by
zero). What is computed from something unknown is unknown, but for `and` and `or`, where one side may settle it (Kleene's logic).
Every part has a kind (`monitor/rules/names.py`), and what does not go together is refused here, with the place.
"""

import ast
import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from monitor.rules.names import NAMES, Kind
from monitor.rules.python_tree import ExpressionError, characters, literals, python_tree
from monitor.rules.tree import Arithmetic, Compare, Constant, Known, Logic, Member, Name, Node, Same

MAX_DEPTH = 40


def parse(text: str, lists: Mapping[str, tuple[str, ...]], kinds: frozenset[Kind]) -> Node:
    """The tree of `text`, whose value is of one of `kinds`; `lists`: words by the name of their list. Raises `ExpressionError`."""
    text = text.replace("\r", " ")  # Python would begin a line there; nobody else does
    tree = python_tree(text)
    try:
        found = _Parser(text, lists).node(tree, 0)
        if found.kind not in kinds:
            wanted = " or ".join(sorted(kind.value for kind in kinds))
            raise _wrong(tree, f"{found.kind.value}, where {wanted} is needed{_hint(found, kinds)}")
    except ExpressionError as error:
        raise ExpressionError(str(error), error.line, characters(text, error.line, error.column)) from None
    return found


_NUMBERS = frozenset({Kind.NUMBER, Kind.MONEY, Kind.TIME})
_WORDS = frozenset({Kind.TEXT, Kind.SYMBOL})
_UNITS = {
    "money": (Kind.MONEY, 100.0),
    "seconds": (Kind.TIME, 1.0),
    "minutes": (Kind.TIME, 60.0),
    "hours": (Kind.TIME, 3_600.0),
    "days": (Kind.TIME, 86_400.0),
}
"""Functions that give a number its kind, and what one of them is."""

_FUNCTIONS = ("abs", "least", "greatest", "known", *_UNITS)
FORMS = {"country": "[A-Z][A-Z]", "currency": "[A-Z][A-Z][A-Z]"}
"""What words of a field look like: others would never be met, and be no error."""

_COMPARISONS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
_MIRRORED = {">": "<", ">=": "<="}
_ARITHMETIC = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


class _Parser:
    def __init__(self, text: str, lists: Mapping[str, tuple[str, ...]]) -> None:
        self._text, self._lists = text, lists
        self._readers: Mapping[type[ast.expr], Callable[[Any, int], Node]] = {
            ast.BoolOp: self._both,
            ast.UnaryOp: self._unary,
            ast.Compare: self._comparison,
            ast.BinOp: self._reckoned,
            ast.Call: self._call,
            ast.Constant: self._constant,
            ast.Name: self._name,
        }

    def node(self, tree: ast.expr, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise _wrong(tree, f"nested deeper than {MAX_DEPTH}: make two rules of it")
        read = self._readers.get(type(tree))
        if read is None:
            raise _wrong(tree, "this is not part of the language; see docs/rules.md")
        return read(tree, depth + 1)

    def _both(self, tree: ast.BoolOp, depth: int) -> Node:
        operands = tuple(self._truth(each, depth) for each in tree.values)
        return Logic(Kind.TRUTH, "and" if isinstance(tree.op, ast.And) else "or", operands)

    def _unary(self, tree: ast.UnaryOp, depth: int) -> Node:
        if isinstance(tree.op, ast.Not):
            return Logic(Kind.TRUTH, "not", (self._truth(tree.operand, depth),))
        if not isinstance(tree.op, ast.USub):
            raise _wrong(tree, "only not and - stand before a value")
        found = self._number(tree.operand, depth)
        return Arithmetic(found.kind, "-", (Constant(found.kind, 0.0), found))

    def _reckoned(self, tree: ast.BinOp, depth: int) -> Node:
        if type(tree.op) not in _ARITHMETIC:
            raise _wrong(tree, "reckon with + - * / and nothing else")
        left, right = self._number(tree.left, depth), self._number(tree.right, depth)
        return _combined(tree, _ARITHMETIC[type(tree.op)], left, right)

    def _constant(self, tree: ast.Constant, _depth: int) -> Node:
        value = tree.value
        if isinstance(value, str):
            raise _wrong(tree, f"{value!r} stands alone; compare it: country == {value!r}")
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise _wrong(tree, f"{value!r}: numbers and texts are the only constants; leave it out")
        return Constant(Kind.NUMBER, _finite(tree, value))

    def _name(self, tree: ast.Name, _depth: int) -> Node:
        return self._named(tree, tree.id)

    def _named(self, tree: ast.expr, name: str) -> Node:
        if name in NAMES:
            return Name(NAMES[name].kind, name)
        if name in self._lists:
            raise _wrong(tree, f"{name} is a list; write: country in {name}")
        raise _wrong(tree, f"{name}: no such name{_near(name, NAMES)}")

    def _truth(self, tree: ast.expr, depth: int) -> Node:
        found = self.node(tree, depth)
        if found.kind is not Kind.TRUTH:
            raise _wrong(
                tree,
                f"{found.kind.value}, where a truth is needed{_hint(found, frozenset({Kind.TRUTH}))}",
            )
        return found

    def _number(self, tree: ast.expr, depth: int) -> Node:
        found = self.node(tree, depth)
        if found.kind not in _NUMBERS:
            raise _wrong(tree, f"{found.kind.value}: nothing to reckon with")
        return found

    def _comparison(self, tree: ast.Compare, depth: int) -> Node:
        sides = [tree.left, *tree.comparators]
        found = tuple(
            self._compared(left, operator, right, depth)
            for left, operator, right in zip(sides, tree.ops, sides[1:], strict=False)
        )
        return found[0] if len(found) == 1 else Logic(Kind.TRUTH, "and", found)

    def _compared(self, left: ast.expr, operator: ast.cmpop, right: ast.expr, depth: int) -> Node:
        if isinstance(operator, (ast.In, ast.NotIn)):
            listed = right.id if isinstance(right, ast.Name) else ""
            found: Node = Member(Kind.TRUTH, self._word_name(left), self._words(left, right), listed)
            return Logic(Kind.TRUTH, "not", (found,)) if isinstance(operator, ast.NotIn) else found
        if type(operator) not in _COMPARISONS:
            raise _wrong(left, "compare with < <= > >= == != in, and nothing else")
        sign = _COMPARISONS[type(operator)]
        if self._is_word(left) or self._is_word(right):
            return self._equal_words(left, sign, right)
        one, other = self._number(left, depth), self._number(right, depth)
        if one.kind is not other.kind:
            raise _wrong(
                right, f"{one.kind.value} compared with {other.kind.value}{_hint(other, frozenset({one.kind}))}"
            )
        if sign in _MIRRORED:
            return Compare(Kind.TRUTH, _MIRRORED[sign], other, one)
        return Compare(Kind.TRUTH, sign, one, other)

    def _equal_words(self, left: ast.expr, sign: str, right: ast.expr) -> Node:
        if sign not in ("==", "!="):
            raise _wrong(left, f"words have no order: {sign} is for numbers; write == or in")
        if isinstance(left, ast.Constant):
            left, right = right, left
        name = self._word_name(left)
        found: Node
        if isinstance(right, ast.Constant):
            found = Member(Kind.TRUTH, name, (self._word(left, right),))
        else:
            other = self._word_name(right)
            if NAMES[name].kind is not Kind.TEXT or NAMES[other].kind is not Kind.TEXT:
                raise _wrong(right, f"{name} and {other} are never the same thing; compare with a word")
            found = Same(Kind.TRUTH, name, other)
        return Logic(Kind.TRUTH, "not", (found,)) if sign == "!=" else found

    def _is_word(self, tree: ast.expr) -> bool:
        if isinstance(tree, ast.Constant):
            return isinstance(tree.value, str)
        return isinstance(tree, ast.Name) and tree.id in NAMES and NAMES[tree.id].kind in _WORDS

    def _word_name(self, tree: ast.expr) -> str:
        if isinstance(tree, ast.Name) and self._named(tree, tree.id).kind in _WORDS:
            return tree.id
        raise _wrong(tree, "a field that is a text is needed here, such as country or merchant_id")

    def _words(self, name: ast.expr, tree: ast.expr) -> tuple[str, ...]:
        if isinstance(tree, ast.Name):
            if tree.id not in self._lists:
                raise _wrong(tree, f"{tree.id}: no such list{_near(tree.id, self._lists)}; add it under [lists]")
            for word in self._lists[tree.id]:
                self._check_symbol(name, word, tree)
            return self._lists[tree.id]
        if not isinstance(tree, (ast.Tuple, ast.List)) or not tree.elts:
            raise _wrong(tree, 'after `in` comes a list: ("AT", "DE"), or the name of one under [lists]')
        return tuple(sorted({self._word(name, each) for each in tree.elts}))

    def _word(self, name: ast.expr, tree: ast.expr) -> str:
        if not isinstance(tree, ast.Constant) or not isinstance(tree.value, str):
            raise _wrong(tree, "a text in quotes is needed here")
        if literals(self._text, tree) != 1:
            raise _wrong(tree, "two texts side by side: a comma is missing between them")
        self._check_symbol(name, tree.value, tree)
        return tree.value

    def _check_symbol(self, name: ast.expr, word: str, tree: ast.expr) -> None:
        unfit = unfit_word(self._word_name(name), word)
        if unfit:
            raise _wrong(tree, unfit)

    def _call(self, tree: ast.Call, depth: int) -> Node:
        function = tree.func.id if isinstance(tree.func, ast.Name) else ""
        if function not in _FUNCTIONS or tree.keywords:
            raise _wrong(tree, f"{function or 'this'}: no such function{_near(function, _FUNCTIONS)}")
        if len(tree.args) != (2 if function in ("least", "greatest") else 1):
            raise _wrong(
                tree, f"{function}: takes {'two values' if function in ('least', 'greatest') else 'one value'}"
            )
        if function == "known":
            return Known(Kind.TRUTH, self.node(tree.args[0], depth))
        operands = [self._number(each, depth) for each in tree.args]
        if function in _UNITS:
            if not isinstance(operands[0], Constant) or operands[0].kind is not Kind.NUMBER:
                raise _wrong(tree, f"{function}: takes a number as it is written, such as {function}(5)")
            kind, one = _UNITS[function]
            return Constant(kind, _counted(tree, operands[0].value, one))
        if function == "abs":
            return Arithmetic(operands[0].kind, "abs", tuple(operands))
        return _combined(tree, function, *operands)


def unfit_word(name: str, word: str) -> str:
    """Why the field `name` can never be `word`; "" if it can."""
    symbols, form = NAMES[name].symbols, FORMS.get(name)
    if form and not re.fullmatch(form, word):
        return f"{word!r}: {name} is {len(form) // len('[A-Z]')} capital letters"
    if not word.isprintable():
        return f"{word!r}: no text of a payment has such characters"
    if symbols and word not in symbols:
        return f"{word!r}: {name} is one of {', '.join(symbols)}"
    return ""


def _combined(tree: ast.expr, operator: str, left: Node, right: Node) -> Node:
    """The kind of a sum is that of both; a product's or quotient's that of the side which is no plain number."""
    kinds = (left.kind, right.kind)
    if operator == "*" and Kind.NUMBER in kinds:
        kind = kinds[0] if kinds[1] is Kind.NUMBER else kinds[1]
    elif operator == "/" and kinds[1] is Kind.NUMBER:
        kind = kinds[0]
    elif operator == "/" and kinds[0] is kinds[1]:
        kind = Kind.NUMBER
    elif operator not in "*/" and kinds[0] is kinds[1]:
        kind = kinds[0]
    else:
        hint = _hint(right, frozenset({left.kind})) if operator not in "*/" else ""
        raise _wrong(tree, f"{left.kind.value} {operator} {right.kind.value} means nothing{hint}")
    return Arithmetic(kind, operator, (left, right))


def _hint(found: Node, wanted: frozenset[Kind]) -> str:
    if isinstance(found, Constant) and found.kind is Kind.NUMBER:
        if Kind.MONEY in wanted and len(wanted) == 1:
            return f"; write money({found.value:g})"
        if Kind.TIME in wanted and len(wanted) == 1:
            return f"; write seconds({found.value:g}), minutes(...), hours(...) or days(...)"
    if wanted == {Kind.TRUTH}:
        return "; compare it with something"
    return ""


def _near(name: str, known: Iterable[str]) -> str:
    """The known names most like it, for a message."""
    close = difflib.get_close_matches(name, list(known), 3)
    return f"; did you mean {', '.join(close)}?" if close else ""


def _finite(tree: ast.expr, value: float) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if number in (float("inf"), float("-inf")):
        raise _wrong(tree, "a number beyond all bounds")
    return number


def _counted(tree: ast.expr, value: float, one: float) -> float:
    """So many times `one`, exactly as it is written: 19.99 is no float. Cents have no fractions, nor do seconds need them."""
    exact = Decimal(str(value)) * Decimal(one)
    if one == _UNITS["money"][1] and exact != exact.to_integral_value():
        raise _wrong(tree, f"{value:g}: money has two decimals")
    return _finite(tree, float(exact))


def _wrong(tree: ast.expr, message: str) -> ExpressionError:
    """At the place of `tree`, whose first line has one parenthesis of ours in front."""
    return ExpressionError(message, tree.lineno, tree.col_offset - (1 if tree.lineno == 1 else 0))
