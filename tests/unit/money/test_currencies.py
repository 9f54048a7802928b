"""The ISO 4217 table and the numbers that codes travel as."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.money.currencies import PLACES, exponents, pack, place


def test_exponents_of_every_kind_are_known():
    known = exponents()
    for code, digits in {
        "EUR": 2,
        "USD": 2,
        "JPY": 0,
        "KRW": 0,
        "KWD": 3,
        "TND": 3,
        "CLF": 4,
        "UYW": 4,
        "MRU": 2,
    }.items():
        assert known[code] == digits, code
    assert {digits: list(known.values()).count(digits) for digits in set(known.values())} == {0: 17, 2: 145, 3: 7, 4: 2}


def test_codes_without_a_minor_unit_are_not_currencies_here():
    assert not exponents().keys() & {"XXX", "XTS", "XAU", "XAG", "XPT", "XPD", "XDR", "XUA", "XSU", "EUX", "eur"}


def test_a_withdrawn_code_stays_known_for_old_payments():
    assert exponents()["HRK"] == 2


def test_every_code_has_a_place_of_its_own():
    places = {place(pack(code)) for code in exponents()}
    assert len(places) == len(exponents())
    assert min(places) >= 0
    assert max(places) < PLACES


@given(st.integers(0, 2**32 - 1))
def test_only_three_capital_letters_have_a_place(code):
    raw = code.to_bytes(4, "big")
    capital = raw[0] == 0 and all(65 <= byte <= 90 for byte in raw[1:])
    assert (place(code) >= 0) == capital


@given(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=3, max_size=3))
def test_places_order_codes_by_the_alphabet(code):
    a, b, c = (ord(letter) - 65 for letter in code)
    assert place(pack(code)) == (a * 26 + b) * 26 + c


@pytest.mark.parametrize("code", ["", "EU", "EURO", "ÉUR"])
def test_what_is_not_three_ascii_letters_cannot_be_packed(code):
    with pytest.raises(ValueError, match=r"letters|ascii"):
        pack(code)
