"""2**x by additions and multiplications alone, so that a score is the same bits on every processor.

The `exp2` of numpy and of libm are other code on other processors (with AVX-512, with FMA, without), and differ in the last bit: an
outcome at a threshold, and the audit's scores, would depend on the machine. IEEE 754 defines `+` and `*` to the last bit, and
nothing is fused without fast-math; `tests/unit/test_processors.py` holds the whole pipeline to it.
"""

import math

import numpy as np
from numpy.typing import NDArray

from monitor.jit import kernel

COEFFICIENTS = np.array([math.log(2) ** k / math.factorial(k) for k in range(14)])
"""Taylor's series of 2**r about 0: for |r| <= 1/2 what it leaves out is below 2**-57 of the sum."""

LEAST, GREATEST = -1022, 1022
"""Exponents beyond are taken for these: what a score comes from is -30 to 0."""

POWERS = np.ldexp(1.0, np.arange(LEAST, GREATEST + 1))


def exp2(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """2**x of float64[n], within 2 units in the last place; NaN stays NaN."""
    out = np.empty_like(x)
    _exp2(x, COEFFICIENTS, POWERS, out)
    return out


@kernel
def _exp2(x, coefficients, powers, out):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        if x[i] != x[i]:
            out[i] = x[i]
            continue
        bounded = min(max(x[i], float(LEAST)), float(GREATEST))
        whole = math.floor(bounded + 0.5)
        rest = bounded - whole
        value = coefficients[-1]
        for k in range(coefficients.shape[0] - 2, -1, -1):
            value = value * rest + coefficients[k]
        out[i] = value * powers[int(whole) - LEAST]
