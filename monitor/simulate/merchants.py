"""Where people pay: merchants by country, some far more popular than others."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.simulate.draws import ONE, Draws, weighted
from monitor.simulate.places import PLACES


@dataclass(frozen=True, slots=True)
class Category:
    """A kind of merchant: ISO 18245 `code`; `size`, its usual amount against the account's level; `weight`, its share of
    merchants; `online`, whether it sells over the network only.
    """

    code: int
    meaning: str
    size: float
    weight: int
    online: bool = False


CATEGORIES: tuple[Category, ...] = (
    Category(5411, "groceries", 1.3, 22),
    Category(5814, "fast food", 0.45, 13),
    Category(5812, "restaurants", 1.5, 11),
    Category(5541, "fuel", 2.2, 7),
    Category(5912, "pharmacy", 0.7, 6),
    Category(4111, "local transit", 0.2, 7),
    Category(5651, "clothing", 2.4, 6),
    Category(5732, "electronics", 5.0, 2),
    Category(7011, "hotels", 6.0, 2),
    Category(5816, "digital goods", 0.5, 8, online=True),
    Category(5964, "online retail", 1.6, 12, online=True),
    Category(4511, "air tickets", 9.0, 1, online=True),
    Category(7995, "betting", 1.5, 2, online=True),
)

CODES = np.array([category.code for category in CATEGORIES], np.int64)
SIZES = np.array([round(category.size * ONE) for category in CATEGORIES], np.int64)
_ONLINE = np.array([category.online for category in CATEGORIES])

_STEPS = 1024
"""Resolution of the popularity tables."""


@dataclass(frozen=True, slots=True)
class Merchants:
    """All merchants; number `m` is of place `place[m]`, those of a place stand together, the most popular first.

    Shapes: `place`, `category` (index into `CATEGORIES`), int64[m]; `online` bool[m]; `first` int64[places]; `popularity`
    int64[places, 1025], ranks at equal steps of probability under Zipf's law with exponent 1; `shops` and `webshops`:
    numbers of those with and without a door, in random order.
    """

    place: NDArray[np.int64]
    category: NDArray[np.int64]
    online: NDArray[np.bool_]
    first: NDArray[np.int64]
    popularity: NDArray[np.int64]
    shops: NDArray[np.int64]
    webshops: NDArray[np.int64]

    def popular(self, draws: Draws, place: NDArray[np.int64]) -> NDArray[np.int64]:
        """One merchant in each of the places, by popularity."""
        n = place.shape[0]
        step = draws.u16(n).astype(np.int64) * _STEPS >> 16
        low = self.popularity[place, step]
        width = np.maximum(self.popularity[place, step + 1] - low, 1)
        chosen: NDArray[np.int64] = self.first[place] + low + draws.below(width, n)
        return chosen


def open_merchants(draws: Draws, accounts: int) -> Merchants:
    """The merchants for so many accounts: a quarter as many, between 1,200 and 60,000, shared by the places' weights."""
    total = min(max(accounts // 4, 1200), 60_000)
    share = sum(place.weight for place in PLACES)
    counts = [max(total * place.weight // share, 40) for place in PLACES]
    m = sum(counts)
    category = draws.pick(weighted(tuple(c.weight for c in CATEGORIES), 1024), m)
    online = _ONLINE[category]
    shuffled = draws.distinct(m, m)
    return Merchants(
        place=np.repeat(np.arange(len(PLACES)), counts).astype(np.int64),
        category=category,
        online=online,
        first=np.cumsum([0, *counts[:-1]]).astype(np.int64),
        popularity=np.array([_zipf(count) for count in counts], np.int64),
        shops=shuffled[~online[shuffled]],
        webshops=shuffled[online[shuffled]],
    )


def _zipf(count: int) -> list[int]:
    # The inverse distribution function of 1/x on [1, count + 1), less one; the small addend keeps whole numbers whole.
    return [min(int((count + 1) ** (step / _STEPS) + 1e-9) - 1, count) for step in range(_STEPS + 1)]
