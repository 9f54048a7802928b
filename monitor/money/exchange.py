"""Amounts of any currency in minor units of one base currency, by a versioned table: exact, rounded half to even.

One minor unit of a currency is `rate * 10^(base digits - its digits)` base minor units; the table keeps that as a fraction of
two integers, so a conversion is integer arithmetic and has no error but its one rounding. How: the float quotient is off by
less than 8 for results up to 2^54 (three roundings of 2^-53 each, and the final one to an integer), hence the remainder
`amount * numerator - quotient * denominator` is below 8 * 10^17 < 2^63 and comes out right although its terms wrap.
"""

import datetime as dt
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.errors import ExchangeError
from monitor.guard.reasons import Reason
from monitor.jit import inlined, kernel
from monitor.money.currencies import PLACES, exponents, pack, place

MAX_AMOUNT_MINOR = 2**53
"""Largest amount converted, and largest result: float64 holds every integer up to it. Beyond: AMOUNT_OUT_OF_RANGE."""

_MAX_NUMERATOR, _MAX_DENOMINATOR = 2**63 - 1, 10**17
_MAX_VERSION_CHARACTERS = 64
_KEYS = {"version", "base", "as_of", "rates"}

_UNKNOWN, _NO_RATE = -1, 0  # in place of a denominator
_REASON_UNKNOWN, _REASON_NO_RATE = int(Reason.UNKNOWN_CURRENCY), int(Reason.NO_EXCHANGE_RATE)
_REASON_NEGATIVE, _REASON_RANGE = int(Reason.NEGATIVE_AMOUNT), int(Reason.AMOUNT_OUT_OF_RANGE)


@dataclass(frozen=True, slots=True, eq=False)
class ExchangeTable:
    """One version of all rates. `digest` is of the content: 12 hex digits that tell two tables of one version apart.

    `numerators` and `denominators`, int64[26^3] by `monitor.money.currencies.place`; a denominator of 0: no rate, -1: no such currency.
    """

    version: str
    base: str
    as_of: dt.date
    digest: str
    numerators: NDArray[np.int64]
    denominators: NDArray[np.int64]

    def to_base(
        self, amount_minor: NDArray[np.int64], currency_code: NDArray[np.uint32]
    ) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """`(base_minor int64[n], reason uint8[n])` of amounts in minor units of packed currency codes (`currencies.pack`).

        Reasons, the first that applies: UNKNOWN_CURRENCY, NO_EXCHANGE_RATE, NEGATIVE_AMOUNT, AMOUNT_OUT_OF_RANGE (the amount
        or its base value is beyond `MAX_AMOUNT_MINOR`). Where there is one, base_minor is 0.
        """
        base_minor = np.zeros(amount_minor.shape[0], np.int64)
        reason = np.zeros(amount_minor.shape[0], np.uint8)
        _convert(amount_minor, currency_code, self.numerators, self.denominators, base_minor, reason)
        return base_minor, reason


@kernel
def _convert(amounts, codes, numerators, denominators, base_minor, reason):  # type: ignore[no-untyped-def]
    for row in range(amounts.shape[0]):
        at = place(codes[row])
        denominator = denominators[at] if at >= 0 else np.int64(_UNKNOWN)
        if denominator == _UNKNOWN:
            reason[row] = _REASON_UNKNOWN
        elif denominator == _NO_RATE:
            reason[row] = _REASON_NO_RATE
        elif amounts[row] < 0:
            reason[row] = _REASON_NEGATIVE
        else:
            value = scale(amounts[row], numerators[at], denominator)
            if value < 0:
                reason[row] = _REASON_RANGE
            else:
                base_minor[row] = value


@inlined
def scale(amount, numerator, denominator):  # type: ignore[no-untyped-def]
    """`amount * numerator / denominator`, rounded half to even, exactly; -1 when amount or result is beyond 2^53.

    `amount >= 0`, `0 < numerator < 2^63`, `0 < denominator <= 10^17`, all int64.
    """
    if amount > MAX_AMOUNT_MINOR:
        return np.int64(-1)
    estimate = np.float64(amount) * np.float64(numerator) / np.float64(denominator)
    if estimate > 2.0 * MAX_AMOUNT_MINOR:
        return np.int64(-1)
    quotient = np.int64(estimate)
    rest = np.int64(np.uint64(amount) * np.uint64(numerator) - np.uint64(quotient) * np.uint64(denominator))
    quotient += rest // denominator
    rest -= rest // denominator * denominator
    if 2 * rest > denominator or (2 * rest == denominator and quotient % 2 == 1):
        quotient += 1
    return quotient if quotient <= MAX_AMOUNT_MINOR else np.int64(-1)


def load_exchange(path: Path | None = None) -> ExchangeTable:
    """The table in the TOML file `path`; None: the shipped sample. Raises `ExchangeError` naming the key, its value and the fix."""
    name = "the shipped exchange table" if path is None else f"exchange table {path}"
    try:
        source = files("monitor.money").joinpath("exchange-rates.toml") if path is None else path
        table = tomllib.loads(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise ExchangeError(f"{name}: cannot be read ({error.strerror}); check setting exchange_rates") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ExchangeError(f"{name}: not TOML in UTF-8 ({error}); fix that place") from None
    return parse_exchange(table, name)


def parse_exchange(table: Mapping[str, Any], name: str = "exchange table") -> ExchangeTable:
    """The table of `{"version", "base", "as_of", "rates"}`, as the TOML file has it. Raises `ExchangeError`, `name` in front."""
    if unlike := _KEYS.symmetric_difference(table):
        key = min(unlike)
        what = f"{key} = {table[key]!r}: no such key" if key in table else f"{key}: missing"
        raise ExchangeError(f"{name}: {what}; the keys are {', '.join(sorted(_KEYS))}")
    version, base, as_of, rates = table["version"], table["base"], table["as_of"], table["rates"]
    if not isinstance(version, str) or not 1 <= len(version) <= _MAX_VERSION_CHARACTERS or not version.isprintable():
        raise ExchangeError(f"{name}: version = {version!r}: use a text of 1 to {_MAX_VERSION_CHARACTERS} characters")
    if not isinstance(base, str) or base not in exponents():
        raise ExchangeError(f"{name}: base = {base!r}: use an ISO 4217 code with a minor unit, such as EUR")
    if not isinstance(as_of, dt.date) or isinstance(as_of, dt.datetime):
        raise ExchangeError(f"{name}: as_of = {as_of!r}: use a date without quotes, such as 2026-01-31")
    if not isinstance(rates, Mapping):
        raise ExchangeError(f'{name}: rates = {rates!r}: use a table [rates] of lines such as USD = "0.85"')
    fractions = {code: _fraction(name, base, code, rate) for code, rate in rates.items()}
    fractions[base] = Fraction(1)
    return _table(version, base, as_of, fractions)


def _fraction(name: str, base: str, code: str, rate: object) -> Fraction:
    """Base minor units that one minor unit of `code` is worth."""
    if code not in exponents():
        raise ExchangeError(f"{name}: rates.{code} = {rate!r}: not an ISO 4217 code with a minor unit; remove the line")
    try:
        value = Decimal(rate) if isinstance(rate, str) else Decimal("NaN")
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value <= 0 or abs(value.adjusted()) > 18:
        raise ExchangeError(
            f'{name}: rates.{code} = {rate!r}: use a positive decimal in quotes, such as "0.85": {base} for one {code}'
        )
    if code == base and value != 1:
        raise ExchangeError(f"{name}: rates.{code} = {rate!r}: the base currency's rate is 1; remove the line")
    fraction = Fraction(value) * Fraction(10) ** (exponents()[base] - exponents()[code])
    if fraction.numerator > _MAX_NUMERATOR or fraction.denominator > _MAX_DENOMINATOR:
        raise ExchangeError(f"{name}: rates.{code} = {rate!r}: too many digits to convert exactly; use at most 12")
    return fraction


def _table(version: str, base: str, as_of: dt.date, fractions: Mapping[str, Fraction]) -> ExchangeTable:
    numerators, denominators = np.zeros(PLACES, np.int64), np.full(PLACES, _UNKNOWN, np.int64)
    for code in exponents():
        denominators[place(pack(code))] = _NO_RATE
    for code, fraction in fractions.items():
        numerators[place(pack(code))] = fraction.numerator
        denominators[place(pack(code))] = fraction.denominator
    numerators.flags.writeable = denominators.flags.writeable = False
    text = "\n".join([version, base, as_of.isoformat(), *(f"{code} {fractions[code]}" for code in sorted(fractions))])
    return ExchangeTable(version, base, as_of, sha256(text.encode()).hexdigest()[:12], numerators, denominators)
