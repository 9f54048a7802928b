"""What each feature had to do with each score, as the items of an alert's array `attributions`, encoded for many alerts at once.

An attribution of a feature has the same size and, but for three numbers, the same bytes in every alert. So all alerts of a run are one
array of rows, laid out once for a model; numpy writes the numbers, and an alert cuts its items out, strongest first.
"""

from functools import lru_cache
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.effects.avro import long, text

_NULL, _PRESENT = long(0), long(1)
_DOUBLE_BYTES = 8


class Attributed(Protocol):
    """A feature that scores are attributed to; `baseline`: what an account's usual value of it is, None where there is none."""

    @property
    def name(self) -> str: ...

    @property
    def unit(self) -> str: ...

    @property
    def baseline(self) -> str | None: ...


def encoded(
    features: tuple[Attributed, ...],
    values: NDArray[np.float64],
    baselines: NDArray[np.float64],
    contributions: NDArray[np.float64],
    order: NDArray[np.int64],
) -> list[list[bytes]]:
    """The items of `m` alerts, each in its `order` int64[m, k]; the numbers are float64[m, k], `baselines` only of features that have one."""
    layout = _layout(features)
    rows = np.frombuffer(bytearray(layout.blank * len(values)), layout.numbers)
    for place, feature in enumerate(features):
        rows[f"value {place}"] = values[:, place]
        rows[f"contribution {place}"] = contributions[:, place]
        if feature.baseline is not None:
            rows[f"baseline {place}"] = baselines[:, place]
    whole, size, spans = rows.tobytes(), len(layout.blank), layout.spans
    return [
        [whole[at + spans[place][0] : at + spans[place][1]] for place in places]
        for at, places in zip(range(0, size * len(values), size), order.tolist(), strict=True)
    ]


class _Layout(NamedTuple):
    """A row: all features side by side. `blank` its bytes, the numbers 0; `numbers` where these are; `spans` where each feature is."""

    blank: bytes
    numbers: np.dtype[np.void]
    spans: list[tuple[int, int]]


@lru_cache(8)
def _layout(features: tuple[Attributed, ...]) -> _Layout:
    blank, spans = bytearray(), []
    offsets: dict[str, int] = {}

    def number(name: str) -> None:
        offsets[name] = len(blank)
        blank.extend(bytes(_DOUBLE_BYTES))

    for place, feature in enumerate(features):
        start = len(blank)
        blank += text(feature.name)
        number(f"value {place}")
        blank += text(feature.unit)
        blank += _NULL if feature.baseline is None else _PRESENT
        if feature.baseline is not None:
            number(f"baseline {place}")
        number(f"contribution {place}")
        spans.append((start, len(blank)))
    numbers = np.dtype(
        {
            "names": list(offsets),
            "formats": ["<f8"] * len(offsets),
            "offsets": list(offsets.values()),
            "itemsize": len(blank),
        }
    )
    return _Layout(bytes(blank), numbers, spans)
