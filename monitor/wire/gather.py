"""The bytes of many spans, one after the other."""

import numpy as np
from numpy.typing import NDArray

from monitor.jit import kernel

_ZERO, _ONE = np.uint64(0), np.uint64(1)


def gathered(
    data: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int32] | NDArray[np.int64]
) -> NDArray[np.uint8]:
    """The spans of `data` in their order, uint8[bytes]; a length below 0 is null, and nothing."""
    into = np.empty(int(np.maximum(lengths, 0).sum()), np.uint8)
    _gather(data, starts, lengths, into)
    return into


@kernel
def _gather(data, starts, lengths, into):  # type: ignore[no-untyped-def]
    at = _ZERO
    for row in range(starts.shape[0]):
        if lengths[row] < 0:
            continue
        start = np.uint64(starts[row])
        for place in range(np.uint64(lengths[row])):
            into[at] = data[start + place]
            at += _ONE
