"""What each feature had to do with each score, as the items of an alert's array `attributions`.

An attribution of a feature has the same size and, but for three numbers, the same bytes in every alert. So an item is laid out once a
feature, numbers left blank; the kernel of alerts copies items, strongest first, and writes the numbers into them.
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
    """Of `m` alerts, over `k` features: `items`, one a feature; `numbers` int64[k, 3], where in an item value, baseline and contribution
    stand, -1: it has no baseline; `values` uint64[3, m, k], the bits of these; `order` int64[m, at most MOST], features strongest first.
    """

    items: Joined
    numbers: NDArray[np.int64]
    values: NDArray[np.uint64]
    order: NDArray[np.int64]


def attributions(
    features: tuple[Attributed, ...],
    values: NDArray[np.float64],
    baselines: NDArray[np.float64],
    contributions: NDArray[np.float64],
    order: NDArray[np.int64],
) -> Attributions:
    """Those of `m` alerts, of each the `MOST` strongest; the numbers are float64[m, k], `baselines` only of features that have one."""
    items, numbers = _items(features)
    order = np.ascontiguousarray(order[:, :MOST])
    return Attributions(items, numbers, np.array((values, baselines, contributions)).view(np.uint64), order)


@lru_cache(8)
def _items(features: tuple[Attributed, ...]) -> tuple[Joined, NDArray[np.int64]]:
    """The items, and where their numbers are."""
    items, numbers = [], []
    for feature in features:
        value = text(feature.name)
        baseline = value + _BLANK + text(feature.unit) + (_NULL if feature.baseline is None else _PRESENT)
        contribution = baseline if feature.baseline is None else baseline + _BLANK
        items.append(contribution + _BLANK)
        numbers.append((len(value), _NONE if feature.baseline is None else len(baseline), len(contribution)))
    return joined(items), np.array(numbers, np.int64).reshape(-1, 3)
