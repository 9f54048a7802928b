"""What each feature had to do with each score, as the items of an alert's array `attributions`.

An attribution of a feature has, but for its numbers, the same bytes in every alert. So an item is laid out once a feature, numbers left
blank; the kernel of alerts copies items, strongest first, and writes the numbers into them. The last, the percentile, may be null in one alert
and known in the next: the kernel writes it behind the item.
"""

from functools import lru_cache
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.effects.avro import long, text
from monitor.effects.joined import Joined, joined

_NULL, _PRESENT = long(0), long(1)
_BLANK = bytes(8)
_NONE = -1

MOST = 12
"""Features an alert lists: a challenger looks at dozens, and a reader does not."""


class Attributed(Protocol):
    """A feature that scores are attributed to; `baseline`: what an account's usual value of it is, None where there is none."""

    @property
    def name(self) -> str: ...

    @property
    def unit(self) -> str: ...

    @property
    def baseline(self) -> str | None: ...


class Attributions(NamedTuple):
    """Of `m` alerts, over `k` features: `items`, one a feature; `numbers` int64[k, 4], where in an item value, baseline, contribution and share
    stand, -1: it has no baseline; `values` uint64[5, m, k], the bits of these and of the percentile; `percentiles` float64[m, k], NaN: null;
    `order` int64[m, at most MOST], features strongest first.
    """

    items: Joined
    numbers: NDArray[np.int64]
    values: NDArray[np.uint64]
    percentiles: NDArray[np.float64]
    order: NDArray[np.int64]


def attributions(
    features: tuple[Attributed, ...],
    values: NDArray[np.float64],
    baselines: NDArray[np.float64],
    contributions: NDArray[np.float64],
    shares: NDArray[np.float64],
    percentiles: NDArray[np.float64],
    order: NDArray[np.int64],
) -> Attributions:
    """Those of `m` alerts, of each the `MOST` strongest; the numbers are float64[m, k], `baselines` only of features that have one."""
    items, numbers = _items(features)
    order = np.ascontiguousarray(order[:, :MOST])
    written = np.array((values, baselines, contributions, shares, percentiles))
    return Attributions(items, numbers, written.view(np.uint64), written[-1], order)


@lru_cache(8)
def _items(features: tuple[Attributed, ...]) -> tuple[Joined, NDArray[np.int64]]:
    """The items, and where their numbers are."""
    items, numbers = [], []
    for feature in features:
        value = text(feature.name)
        baseline = value + _BLANK + text(feature.unit) + (_NULL if feature.baseline is None else _PRESENT)
        contribution = baseline if feature.baseline is None else baseline + _BLANK
        share = contribution + _BLANK
        items.append(share + _BLANK)
        usual = _NONE if feature.baseline is None else len(baseline)
        numbers.append((len(value), usual, len(contribution), len(share)))
    return joined(items), np.array(numbers, np.int64).reshape(-1, 4)
