"""ISO 4217: which currency codes there are, and how many digits their minor unit has. The data is iso-4217.toml.

Codes travel as numbers: `pack("EUR")` is the three bytes in one uint32, first byte highest, and `place` maps a packed code to
0 .. 26^3 - 1, so that a table of any fact about currencies is one array.
"""

import tomllib
from functools import cache
from importlib.resources import files

import numpy as np

from monitor.jit import inlined

PLACES = 26**3
"""Codes of three capital letters there can be: the length of a table by `place`."""

_LETTERS, _LETTER_A, _BYTE, _BITS = 26, 65, 0xFF, 8


@cache
def exponents() -> dict[str, int]:
    """Digits of the minor unit by code: 2 for EUR, 0 for JPY, 3 for KWD, 4 for CLF. Withdrawn codes are included."""
    table = tomllib.loads(files("monitor.money").joinpath("iso-4217.toml").read_text(encoding="utf-8"))
    groups = [group for part in (table["active"], table["withdrawn"]) for group in part.items()]
    return {code: int(name.removeprefix("digits_")) for name, codes in groups for code in codes}


def pack(code: str) -> int:
    """Three letters as one number, as columns carry them. Raises ValueError for any other length or for other than ASCII."""
    raw = code.encode("ascii")
    if len(raw) != 3:
        raise ValueError(f"currency {code!r} has {len(raw)} letters; use three, such as EUR")
    return int.from_bytes(raw, "big")


@inlined
def place(code):  # type: ignore[no-untyped-def]
    """Place of a packed code in a table by code; -1 when it is not three capital letters."""
    at, rest = np.int64(0), np.int64(code)
    for shift in (2, 1, 0):
        letter = ((rest >> (shift * _BITS)) & _BYTE) - _LETTER_A
        if letter < 0 or letter >= _LETTERS:
            return -1
        at = at * _LETTERS + letter
    return at if rest >> (3 * _BITS) == 0 else -1
