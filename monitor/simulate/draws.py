"""Random numbers that are equal on every machine and under every numpy release.

Only the raw 64-bit stream of PCG64, seeded by a SeedSequence, is used: numpy promises both never to change, while it does not
promise that of `Generator`'s distributions. Everything here is integer arithmetic on those bits; distributions are tables of
their quantiles, rounded to integers once, so no sample depends on a machine's `exp` or `log`.
"""

from functools import cache
from math import exp
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

QUANTILES = 4096
"""Entries of a quantile table: the tails are cut at 1 / 8192, 3.67 deviations of a normal."""

ONE = 4096
"""The fixed-point 1 of `lognormal` factors."""

_ONE_32 = 1 << 32


class Draws:
    """A stream of draws, named by the seed and by what it is for; two names never share bits."""

    def __init__(self, seed: int, *stream: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(entropy=seed, spawn_key=stream))

    def u64(self, n: int) -> NDArray[np.uint64]:
        """`n` uniform 64-bit integers."""
        return np.asarray(self._bits.random_raw(n), np.uint64)

    def u32(self, n: int) -> NDArray[np.uint32]:
        """`n` uniform 32-bit integers."""
        return self.u64((n + 1) // 2).astype("<u8", copy=False).view("<u4")[:n]

    def u16(self, n: int) -> NDArray[np.uint16]:
        """`n` uniform 16-bit integers."""
        return self.u64((n + 3) // 4).astype("<u8", copy=False).view("<u2")[:n]

    def below(self, bound: int | NDArray[np.int64], n: int) -> NDArray[np.int64]:
        """`n` integers in [0, bound), int64; `bound` is at most 2**31, one for all or one each."""
        return (self.u32(n).astype(np.int64) * bound) >> 32

    def between(self, low: int, high: int, n: int) -> NDArray[np.int64]:
        """`n` integers in [low, high], int64; `high - low` is below 2**31, or below 2**47 at a grain of 1/65536 of the range."""
        span = high - low + 1
        if span <= 1 << 31:
            return low + self.below(span, n)
        return low + ((self.u32(n).astype(np.int64) * (span >> 16)) >> 16)

    def chance(self, share: float, n: int) -> NDArray[np.bool_]:
        """`n` booleans, true for a `share` of them (to 2**-32)."""
        drawn: NDArray[np.bool_] = self.u32(n) < np.uint64(round(share * _ONE_32))
        return drawn

    def pick(self, table: NDArray[np.int64], n: int) -> NDArray[np.int64]:
        """`n` entries of a table whose length is a power of two up to 65,536, each entry equally likely."""
        picked: NDArray[np.int64] = table[(self.u16(n).astype(np.int64) * table.shape[0]) >> 16]
        return picked

    def distinct(self, bound: int, n: int) -> NDArray[np.int64]:
        """`min(n, bound)` different integers in [0, bound), in random order."""
        if 3 * n >= bound:
            return np.argsort(self.u64(bound), kind="stable")[:n].astype(np.int64)
        found = np.empty(0, np.int64)
        while found.shape[0] < n:
            both = np.concatenate([found, self.below(bound, n)])
            found = both[np.sort(np.unique(both, return_index=True)[1])]
        return found[:n]


@cache
def lognormal(percent_sigma: int) -> NDArray[np.int64]:
    """Quantile table of exp(sigma * z), z standard normal, in units of 1/4096; sigma in hundredths. Its median is 1."""
    normal = NormalDist()
    quantiles = [normal.inv_cdf((i + 0.5) / QUANTILES) for i in range(QUANTILES)]
    return np.array([round(ONE * exp(percent_sigma / 100 * z)) for z in quantiles], np.int64)


def scaled(amount: NDArray[np.int64], factor: NDArray[np.int64]) -> NDArray[np.int64]:
    """`amount` times a fixed-point `factor` (4096 is 1), rounded down."""
    return (amount * factor) >> 12


def weighted(weights: tuple[int, ...], size: int = 256) -> NDArray[np.int64]:
    """A table of `size` indexes into `weights`, each present in proportion (largest remainder): for `Draws.pick`."""
    total = sum(weights)
    edges, upto = [], 0
    for weight in weights:
        upto += weight
        edges.append((upto * size + total // 2) // total)
    return np.repeat(np.arange(len(weights)), np.diff(np.array([0, *edges]))).astype(np.int64)


def mix(*parts: NDArray[np.int64] | int) -> NDArray[np.uint64]:
    """A 64-bit mixture of integers (splitmix64's finaliser, folded over the parts): randomness that needs no memory.

    The same parts give the same number: whether an account travels in a month is asked again for each of its payments.
    """
    state = np.zeros(1, np.uint64)
    with np.errstate(over="ignore"):
        for part in parts:
            state = state + np.uint64(0x9E3779B97F4A7C15) + np.asarray(part, np.int64).astype(np.uint64)
            state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            state = state ^ (state >> np.uint64(31))
    return state


def bits(mixture: NDArray[np.uint64], shift: int, width: int) -> NDArray[np.int64]:
    """`width` bits of each mixture, from bit `shift` up, int64."""
    return ((mixture >> np.uint64(shift)) & np.uint64((1 << width) - 1)).astype(np.int64)
