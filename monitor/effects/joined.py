"""Many byte strings as kernels take them: one array of bytes, and where in it each begins."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Joined(NamedTuple):
    """`count` strings one after the other: `data` uint8[bytes], read-only; `spans` int64[count + 1], string i from `spans[i]` to `spans[i + 1]`."""

    data: NDArray[np.uint8]
    spans: NDArray[np.int64]


def joined(strings: Sequence[bytes]) -> Joined:
    """The strings, joined."""
    spans = np.zeros(len(strings) + 1, np.int64)
    np.cumsum([len(each) for each in strings], out=spans[1:])
    return Joined(np.frombuffer(b"".join(strings), np.uint8), spans)
