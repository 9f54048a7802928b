"""The language of conditions: what it means, held against a plain interpreter, and what it refuses."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.rules.evaluate import Program
from monitor.rules.names import NAMES, Kind
from monitor.rules.python_tree import MAX_CHARACTERS, ExpressionError
from monitor.rules.syntax import parse
from monitor.rules.tree import names_in
from tests.unit.rules.conftest import Table

TRUTH = frozenset({Kind.TRUTH})
LISTS = {"watched": ("m-1", "m-2"), "home": ("AT", "DE")}


def truths(text, cells):
    """What the condition is for each transaction: True, False or None."""
    program = Program(cells.hash_of)
    place = program.add(parse(text, LISTS, TRUTH))
    true, false = (np.broadcast_to(each, len(cells)) for each in program.run(cells)[place])
    assert not (true & false).any()
    return [True if yes else False if no else None for yes, no in zip(true, false, strict=True)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("count_5m >= 3", [False, True, True]),
        ("1 < count_5m < 5", [False, True, False]),
        ("count_5m + 1 == 4", [False, True, False]),
        ("amount > money(10)", [False, True, True]),
        ("amount / mean_amount > 2", [None, True, True]),
        ("least(count_5m, 2) == 2", [False, True, True]),
        ("abs(count_5m - 3) > 1", [True, False, True]),
        ("country == 'AT'", [True, False, None]),
        ("country != 'AT'", [False, True, None]),
        ("country in home", [True, False, None]),
        ("country not in ('FR', 'IT')", [True, False, None]),
        ("known(country)", [True, True, False]),
        ("not known(country)", [False, False, True]),
        ("channel == 'card'", [True, False, False]),
        ("channel in ('wallet', 'card')", [True, False, True]),
        ("merchant_id in watched", [True, None, False]),
        ("merchant_id == account_id", [False, None, True]),
        ("new_country", [False, True, True]),
        ("not new_country and count_5m == 1", [True, False, False]),
        ("country == 'AT' or count_5m > 4", [True, False, True]),
        ("country == 'AT' and count_5m > 4", [False, False, None]),
        ("merchant_risk_7d > 0.1", [None, True, False]),
        ("known(merchant_risk_7d)", [False, True, True]),
        ("not (merchant_risk_7d > 0.1)", [None, False, True]),
        ("hour >= 22 or hour < 6", [True, False, True]),
        ("time_of_day < hours(6)", [True, False, False]),
        ("account_age < days(1)", [True, False, False]),
        ("-amount < -money(10)", [False, True, True]),
    ],
)
def test_a_condition_means_what_it_says(text, expected):
    cells = Table(
        3,
        {
            "count_5m": [1, 3, 5],
            "amount": [500, 3_000, 90_000],
            "mean_amount": [0, 1_000, 1_000],
            "country": ["AT", "FR", None],
            "channel": ["card", "transfer", "wallet"],
            "merchant_id": ["m-1", None, "a-3"],
            "account_id": ["a-1", "a-2", "a-3"],
            "new_country": [0, 1, 1],
            "merchant_risk_7d": [None, 0.5, 0.05],
            "hour": [3, 12, 23],
            "time_of_day": [3 * 3600, 12 * 3600, 23 * 3600],
            "account_age": [3_600, 90_000, 900_000],
        },
    )
    assert truths(text, cells) == expected


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("amount > 500", 9, r"money compared with a plain number; write money\(500\)"),
        ("time_since_last < 30", 18, r"write seconds\(30\)"),
        ("count_5m", 0, "a plain number, where a truth is needed; compare it"),
        ("new_country and count_5m", 16, "a plain number, where a truth is needed"),
        ("cuont_5m > 1", 0, "cuont_5m: no such name; did you mean count_5m"),
        ("country > 'AT'", 0, "words have no order"),
        ("country in hoem", 11, r"hoem: no such list; did you mean home\?"),
        ("country in ()", 11, "after `in` comes a list"),
        ("count_5m in (1, 2)", 0, "a field that is a text is needed"),
        ("channel == 'crad'", 11, "'crad': channel is one of card, transfer"),
        ("channel == country", 11, "never the same thing"),
        ("amount + count_5m > money(1)", 0, r"money \+ a plain number means nothing"),
        ("amount * mean_amount > money(1)", 0, r"money \* money means nothing"),
        ("money(amount) > amount", 0, "takes a number as it is written"),
        ("count_5m >", 10, "not an expression"),
        ("count_5m > 1 and\n  cuont > 2", 2, "cuont: no such name"),
        ("__import__('os')", 0, "__import__: no such function"),
        ("count_5m.real > 1", 0, "not part of the language"),
        ("count_5m[0] > 1", 0, "not part of the language"),
        ("(lambda: 1)() > 1", 0, "this: no such function"),
        ("[x for x in (1,)]", 0, "not part of the language"),
        ("count_5m ** 9 > 1", 0, r"reckon with \+ - \* /"),
        ("count_5m > 1e999", 11, "beyond all bounds"),
        ("count_5m is 1", 0, "compare with < <= >"),
        ("True", 0, "the only constants"),
        ("'AT'", 0, "stands alone"),
        ("country in ('DE', 'IR' 'KP')", 18, "a comma is missing"),
        ("country == 'Germany'", 11, "country is 2 capital letters"),
        ("currency in ('EUR', 'eur')", 20, "currency is 3 capital letters"),
        (r"merchant_id == '\ud800'", 15, "no text of a payment has such characters"),
        ("amount > money(19.999)", 9, "money has two decimals"),
        ("account_age < days(1e305)", 14, "beyond all bounds"),
        ("least(1) > 0", 0, "least: takes two values"),
        ("home", 0, "home is a list; write: country in home"),
        ("-" * 60 + "count_5m < 1", None, "nested deeper"),
        ("(" * 300 + "1" + ")" * 300 + " < 2", None, "not an expression"),
        ("count_5m > 1 or " * 400 + "count_5m > 2", None, f"it takes 1 to {MAX_CHARACTERS}"),
        ("", 0, "it takes 1 to"),
        ("count_5m > 1) or (count_5m > 2", 0, "a parenthesis too many"),
        ("merchant_id == 'Ö' and cuont_5m > 1", 23, "cuont_5m: no such name"),
        ("\0", None, "not an expression"),
    ],
)
def test_what_means_nothing_is_refused_at_its_place(text, column, said):
    with pytest.raises(ExpressionError, match=said) as error:
        parse(text, LISTS, TRUTH)
    if column is not None:
        assert error.value.column == column
    assert error.value.line == (2 if "\n" in text else 1)


NUMBER_NAMES = ("count_5m", "device_risk_7d", "merchant_risk_7d")
VALUES = st.sampled_from([0.0, 1.0, 2.0, -1.0, 0.5])
PERHAPS = st.one_of(st.none(), VALUES)
"""Of what may be unknown."""


def numbers():
    """(text, function of a row to a number or None)."""
    leaves = st.one_of(
        st.sampled_from([0, 1, 2]).map(lambda value: (str(value), lambda _row: float(value))),
        st.sampled_from(NUMBER_NAMES).map(lambda name: (name, lambda row: row[name])),
    )
    return st.recursive(
        leaves, lambda inner: st.tuples(st.sampled_from("+-*/"), inner, inner).map(reckoned), max_leaves=4
    )


def reckoned(parts):
    sign, (left, one), (right, other) = parts

    def value(row):
        a, b = one(row), other(row)
        if a is None or b is None or (sign == "/" and b == 0):
            return None
        return {"+": lambda: a + b, "-": lambda: a - b, "*": lambda: a * b, "/": lambda: a / b}[sign]()

    return f"({left} {sign} {right})", value


def compared(parts):
    sign, (left, one), (right, other) = parts

    def value(row):
        a, b = one(row), other(row)
        if a is None or b is None:
            return None
        return {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b, "==": a == b, "!=": a != b}[sign]

    return f"{left} {sign} {right}", value


def joined(parts):
    word, (left, one), (right, other) = parts

    def value(row):
        a, b = one(row), other(row)
        settling = word == "or"
        if settling in (a, b):
            return settling
        return None if None in (a, b) else not settling

    return f"({left} {word} {right})", value


def negated(part):
    text, inner = part
    return f"(not {text})", lambda row: None if inner(row) is None else not inner(row)


CONDITIONS = st.recursive(
    st.tuples(st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), numbers(), numbers()).map(compared),
    lambda inner: st.one_of(st.tuples(st.sampled_from(["and", "or"]), inner, inner).map(joined), inner.map(negated)),
    max_leaves=8,
)


@settings(max_examples=300)
@given(CONDITIONS, st.lists(st.tuples(VALUES, PERHAPS, PERHAPS), min_size=1, max_size=6))
def test_arrays_say_what_one_transaction_at_a_time_would(condition, rows):
    text, value = condition
    given_rows = [dict(zip(NUMBER_NAMES, row, strict=True)) for row in rows]
    cells = Table(len(rows), {name: [row[name] for row in given_rows] for name in NUMBER_NAMES})
    assert truths(text, cells) == [value(row) for row in given_rows]


@settings(max_examples=200)
@example("\rA")
@example("count_5m\r\n > 0 and\fcuont_5m > 1")
@given(st.text(max_size=60))
def test_any_text_is_a_tree_or_an_error_of_ours(text):
    try:
        assert set(names_in(parse(text, LISTS, TRUTH))) <= set(NAMES)
    except ExpressionError as error:
        place = (error.line, error.column)
        lines = text.split("\n")
        assert 1 <= place[0] <= len(lines)
        assert 0 <= place[1] <= len(lines[place[0] - 1])


def test_equal_parts_are_worked_out_once(table):
    cells = table(4, count_5m=[1, 2, 3, 4])
    asked = []
    number = cells.number
    cells.number = lambda name: asked.append(name) or number(name)
    program = Program(cells.hash_of)
    places = [
        program.add(parse(text, {}, TRUTH))
        for text in ("count_5m > 2", "count_5m > 2 and count_5m < 9", "not (2 < count_5m)")
    ]
    results = program.run(cells)
    assert [results[place].true.tolist() for place in places] == [
        [False, False, True, True],
        [False, False, True, True],
        [True, True, False, False],
    ]
    assert asked == ["count_5m"]


@given(st.integers(0, 10**9))
def test_money_is_exact_to_the_cent(cents):
    text = f"amount == money({cents // 100}.{cents % 100:02})"
    assert truths(text, Table(1, {"amount": [cents]})) == [True]


def test_an_empty_list_holds_nobody_and_nobody_unknown():
    cells = Table(2, {"merchant_id": ["m-1", None]})
    program = Program(cells.hash_of)
    place = program.add(parse("merchant_id in nobody", {"nobody": ()}, TRUTH))
    true, false = program.run(cells)[place]
    assert (true.tolist(), false.tolist()) == ([False, False], [True, False])
