"""Conversion to the base currency: exact against rational arithmetic, with a reason for whatever has no answer."""

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import ExchangeError
from monitor.guard.reasons import Reason
from monitor.money.currencies import exponents, pack
from monitor.money.exchange import MAX_AMOUNT_MINOR, load_exchange, parse_exchange, scale

INT64_MAX, INT64_MIN = 2**63 - 1, -(2**63)


def table(base="EUR", **rates):
    return parse_exchange({"version": "test-1", "base": base, "as_of": dt.date(2026, 1, 31), "rates": rates})


def convert(exchange, amount, currency):
    code = pack(currency) if isinstance(currency, str) else currency
    base_minor, reason = exchange.to_base(np.array([amount], np.int64), np.array([code], np.uint32))
    return int(base_minor[0]), Reason(reason[0])


@pytest.mark.parametrize(
    ("amount", "currency", "rate", "expected"),
    [
        (1234, "EUR", None, 1234),
        (100, "USD", "0.85", 85),
        (100, "JPY", "0.0061", 61),  # yen have no minor unit
        (1000, "KWD", "3.25", 325),  # fils are thousandths
        (10_000, "CLF", "40", 4000),  # four digits
        (1, "USD", "0.5", 0),  # ties go to the even neighbour
        (3, "USD", "0.5", 2),
        (5, "USD", "0.5", 2),
        (7, "USD", "0.5", 4),
        (0, "USD", "0.85", 0),
        (MAX_AMOUNT_MINOR, "EUR", None, MAX_AMOUNT_MINOR),
        (MAX_AMOUNT_MINOR, "USD", "1", MAX_AMOUNT_MINOR),
    ],
)
def test_an_amount_becomes_base_minor_units(amount, currency, rate, expected):
    rates = {} if rate is None else {currency: rate}
    assert convert(table(**rates), amount, currency) == (expected, Reason.ADMITTED)


def test_the_base_may_have_no_minor_unit():
    assert convert(table("JPY", USD="155.5"), 100, "USD") == (156, Reason.ADMITTED)


@pytest.mark.parametrize(
    ("amount", "currency", "reason"),
    [
        (1, "ZZZ", Reason.UNKNOWN_CURRENCY),
        (1, "usd", Reason.UNKNOWN_CURRENCY),
        (1, 0, Reason.UNKNOWN_CURRENCY),
        (1, 0xFFFFFFFF, Reason.UNKNOWN_CURRENCY),
        (1, "GBP", Reason.NO_EXCHANGE_RATE),
        (-1, "USD", Reason.NEGATIVE_AMOUNT),
        (INT64_MIN, "USD", Reason.NEGATIVE_AMOUNT),
        (MAX_AMOUNT_MINOR + 1, "EUR", Reason.AMOUNT_OUT_OF_RANGE),
        (INT64_MAX, "USD", Reason.AMOUNT_OUT_OF_RANGE),
        (MAX_AMOUNT_MINOR // 2, "KWD", Reason.AMOUNT_OUT_OF_RANGE),
    ],
)
def test_what_cannot_be_converted_has_a_reason_and_no_amount(amount, currency, reason):
    assert convert(table(USD="0.85", KWD="99"), amount, currency) == (0, reason)


DECIMALS = st.decimals(Decimal("0.00001"), Decimal("99999"), places=5).map(str)


@given(st.integers(0, MAX_AMOUNT_MINOR), DECIMALS, st.sampled_from(["USD", "JPY", "KWD", "CLF"]))
def test_conversion_equals_rational_arithmetic_rounded_half_to_even(amount, rate, currency):
    exact = Fraction(amount) * Fraction(rate) * Fraction(10) ** (2 - exponents()[currency])
    expected = round(exact)  # of a Fraction: half to even
    got = convert(table(**{currency: rate}), amount, currency)
    assert got == ((expected, Reason.ADMITTED) if expected <= MAX_AMOUNT_MINOR else (0, Reason.AMOUNT_OUT_OF_RANGE))


@given(st.integers(0, MAX_AMOUNT_MINOR), st.integers(1, 2**63 - 1), st.integers(1, 10**17))
def test_scaling_is_exact_for_every_fraction_a_table_may_hold(amount, numerator, denominator):
    expected = round(Fraction(amount) * numerator / denominator)
    assert scale(amount, numerator, denominator) == (expected if expected <= MAX_AMOUNT_MINOR else -1)


@given(st.integers(0, MAX_AMOUNT_MINOR), st.integers(0, 2**40), st.integers(1, 10**17 // 2))
def test_scaling_is_exact_where_results_are_halves(amount, whole, half):
    denominator = 2 * half
    numerator = min(whole * denominator + half, 2**63 - 1)
    expected = round(Fraction(amount) * numerator / denominator)
    assert scale(amount, numerator, denominator) == (expected if expected <= MAX_AMOUNT_MINOR else -1)


def test_amounts_convert_row_by_row():
    exchange = table(USD="0.85", JPY="0.0061")
    codes = np.array([pack(code) for code in ("USD", "ZZZ", "JPY", "EUR", "GBP")], np.uint32)
    base_minor, reason = exchange.to_base(np.array([100, 5, 100, 7, 9], np.int64), codes)
    assert base_minor.tolist() == [85, 0, 61, 7, 0]
    assert reason.tolist() == [0, Reason.UNKNOWN_CURRENCY, 0, 0, Reason.NO_EXCHANGE_RATE]
    assert (base_minor.dtype, reason.dtype) == (np.int64, np.uint8)


def test_no_amounts_convert_to_none():
    base_minor, reason = table().to_base(np.zeros(0, np.int64), np.zeros(0, np.uint32))
    assert (base_minor.size, reason.size) == (0, 0)


def test_the_shipped_table_has_a_rate_for_forty_currencies_and_says_it_is_a_sample():
    exchange = load_exchange()
    assert exchange.base == "EUR"
    assert exchange.version.startswith("sample")
    assert (exchange.denominators > 0).sum() >= 40
    assert convert(exchange, 10_000, "USD")[1] is Reason.ADMITTED


def test_the_digest_follows_the_content():
    assert table(USD="0.85").digest == table(USD="0.850").digest
    assert table(USD="0.85").digest != table(USD="0.86").digest


def test_a_table_cannot_be_altered_once_loaded():
    with pytest.raises(ValueError, match="read-only"):
        table().numerators[0] = 1


def test_a_table_of_the_users_own_is_read(tmp_path):
    path = tmp_path / "rates.toml"
    path.write_text('version = "2026-02"\nbase = "USD"\nas_of = 2026-02-01\n[rates]\nEUR = "1.18"\n')
    exchange = load_exchange(path)
    assert (exchange.version, exchange.base, exchange.as_of) == ("2026-02", "USD", dt.date(2026, 2, 1))
    assert convert(exchange, 100, "EUR") == (118, Reason.ADMITTED)


GOOD = {"version": "v", "base": "EUR", "as_of": dt.date(2026, 1, 1), "rates": {"USD": "0.85"}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": ""}, ["version = ''"]),
        ({"version": 7}, ["version = 7"]),
        ({"base": "ZZZ"}, ["base = 'ZZZ'", "ISO 4217"]),
        ({"base": ["EUR"]}, ["base = ['EUR']"]),
        ({"as_of": "2026-01-01"}, ["as_of", "without quotes"]),
        ({"rates": 3}, ["rates = 3", "[rates]"]),
        ({"rates": {"ZZZ": "1"}}, ["rates.ZZZ", "remove"]),
        ({"rates": {"USD": 0.85}}, ["rates.USD = 0.85", "in quotes"]),
        ({"rates": {"USD": "0"}}, ["rates.USD = '0'", "positive"]),
        ({"rates": {"USD": "-1"}}, ["rates.USD = '-1'", "positive"]),
        ({"rates": {"USD": "NaN"}}, ["rates.USD = 'NaN'", "positive"]),
        ({"rates": {"USD": "1e999999"}}, ["rates.USD", "positive"]),
        ({"rates": {"USD": "abc"}}, ["rates.USD = 'abc'", "positive"]),
        ({"rates": {"USD": "0.1234567890123456789"}}, ["rates.USD", "too many digits"]),
        ({"rates": {"EUR": "1.1"}}, ["rates.EUR = '1.1'", "is 1"]),
        ({"extra": 1}, ["extra = 1", "no such key"]),
    ],
)
def test_a_malformed_table_is_refused_with_key_value_and_fix(change, words):
    with pytest.raises(ExchangeError) as caught:
        parse_exchange({**GOOD, **change})
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("key", sorted(GOOD))
def test_a_missing_key_is_named(key):
    with pytest.raises(ExchangeError, match=f"{key}: missing"):
        parse_exchange({name: value for name, value in GOOD.items() if name != key})


def test_a_file_that_is_not_there_names_the_setting(tmp_path):
    with pytest.raises(ExchangeError, match="exchange_rates"):
        load_exchange(tmp_path / "none.toml")


@pytest.mark.parametrize("content", [b"version = ", b"\xff\xfe"])
def test_a_file_that_is_not_toml_is_refused(tmp_path, content):
    path = tmp_path / "rates.toml"
    path.write_bytes(content)
    with pytest.raises(ExchangeError, match="not TOML"):
        load_exchange(path)
