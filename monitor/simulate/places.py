"""The countries accounts live in and travel to, with their currency, clock and share."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Place:
    """A country: `minor_per_cent` is its currency's minor units for one cent of EUR, in 1/1000 (about 2026; for realism only,
    the monitor converts by its own table); `zone_min` its clock against UTC in minutes, without summer time; `weight` its
    share of accounts.
    """

    code: str
    currency: str
    minor_per_cent: int
    zone_min: int
    weight: int


PLACES: tuple[Place, ...] = (
    Place("DE", "EUR", 1000, 60, 18),
    Place("FR", "EUR", 1000, 60, 14),
    Place("ES", "EUR", 1000, 60, 10),
    Place("IT", "EUR", 1000, 60, 10),
    Place("NL", "EUR", 1000, 60, 7),
    Place("GB", "GBP", 860, 0, 12),
    Place("US", "USD", 1120, -300, 10),
    Place("SE", "SEK", 11200, 60, 4),
    Place("PL", "PLN", 4270, 60, 5),
    Place("CH", "CHF", 940, 60, 3),
    Place("JP", "JPY", 1680, 540, 5),
    Place("PT", "EUR", 1000, 0, 2),
)
"""Order is the code of a country in rows; append only, or every seed's output changes."""

CURRENCIES: tuple[str, ...] = tuple(dict.fromkeys(place.currency for place in PLACES))

CURRENCY_OF = np.array([CURRENCIES.index(place.currency) for place in PLACES], np.int64)
MINOR_PER_CENT = np.array([place.minor_per_cent for place in PLACES], np.int64)
ZONE_MS = np.array([place.zone_min * 60_000 for place in PLACES], np.int64)


def in_currency_of(place: NDArray[np.int64], eur_cents: NDArray[np.int64]) -> NDArray[np.int64]:
    """Amounts in EUR cents as minor units of the places' currencies; at least 1."""
    minor: NDArray[np.int64] = np.maximum(eur_cents * MINOR_PER_CENT[place] // 1000, 1)
    return minor
