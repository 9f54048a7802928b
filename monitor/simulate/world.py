"""Who pays: accounts with a home, a rhythm, a level of spending, favourite merchants, devices, and journeys."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.simulate.draws import Draws, bits, lognormal, mix, scaled, weighted
from monitor.simulate.merchants import Merchants, open_merchants
from monitor.simulate.places import PLACES
from monitor.simulate.rhythm import DAY_MS, HOUR_MS, RHYTHM_WEIGHTS

MERCHANT_STREAM, ACCOUNT_STREAM, STANDING_STREAM, SLICE_STREAM, FRAUD_STREAM, CORRUPT_STREAM = range(6)
"""Names of the streams of draws."""

FAVOURITES = 12
"""Merchants an account goes back to, most of the time."""

DEVICE_LIFE_DAYS = 500
"""After so many days each device of an account is replaced by a new one."""

_PERIOD_MS = 28 * DAY_MS
"""An account starts at most one journey in such a period."""

_FLIGHT_MS = 5 * HOUR_MS
"""Without payments, before a journey's first and last hour: nobody pays in two countries within minutes."""

_LEVEL_CENTS = 2200
_MOST_ACTIVE = 96
"""Activity weights run from 1 to this, with a mean of about 12: the busiest account makes 8 times the mean."""

_DEVICE_SALT, _TRIP_SALT, _PHASE_SALT, _IP_SALT, _PARTNER_SALT = range(5)


@dataclass(frozen=True, slots=True)
class World:
    """Everything that does not change while the stream runs.

    Shapes, all by account: `home` u1 (index into PLACES), `rhythm` u1, `level` i8 (EUR cents of a usual purchase), `devices`
    u1 (1 to 3), `wallet` and `crypto` bool, `roaming` u1 (chance of a journey in a period, in 1/256), `favourites`
    i4[accounts, FAVOURITES]. `slots` i4: account numbers, each as often as it is active.
    """

    seed: int
    start_ms: int
    end_ms: int
    merchants: Merchants
    home: NDArray[np.uint8]
    rhythm: NDArray[np.uint8]
    level: NDArray[np.int64]
    devices: NDArray[np.uint8]
    wallet: NDArray[np.bool_]
    crypto: NDArray[np.bool_]
    roaming: NDArray[np.uint8]
    favourites: NDArray[np.int32]
    slots: NDArray[np.int32]

    def __len__(self) -> int:
        return int(self.home.shape[0])

    def whereabouts(
        self, account: NDArray[np.int64], time: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The place each account is in at a time, and whether it is on its way, when it pays nothing."""
        phase = bits(mix(self.seed, _PHASE_SALT, account), 0, 40) % _PERIOD_MS
        period, into = np.divmod(time + phase, _PERIOD_MS)
        chance = mix(self.seed, _TRIP_SALT, account, period)
        begin = 12 * HOUR_MS + (bits(chance, 8, 16) * (16 * DAY_MS) >> 16)
        end = begin + (2 + bits(chance, 24, 3)) * DAY_MS
        journey = bits(chance, 0, 8) < self.roaming[account]
        abroad = journey & (into >= begin) & (into < end)
        flying = journey & (
            ((into >= begin - _FLIGHT_MS) & (into < begin)) | ((into >= end - _FLIGHT_MS) & (into < end))
        )
        home = self.home[account].astype(np.int64)
        away = (home + 1 + bits(chance, 32, 16) % (len(PLACES) - 1)) % len(PLACES)
        return np.where(abroad, away, home), flying

    def device(self, draws: Draws, account: NDArray[np.int64], time: NDArray[np.int64]) -> NDArray[np.int64]:
        """One of each account's own devices: three times in four its main one."""
        n = account.shape[0]
        which = np.where(draws.chance(0.75, n), 0, draws.below(self.devices[account].astype(np.int64), n))
        age = bits(mix(self.seed, _PHASE_SALT, account, which), 0, 40) % (DEVICE_LIFE_DAYS * DAY_MS)
        generation = (time + age) // (DEVICE_LIFE_DAYS * DAY_MS)
        return bits(mix(self.seed, _DEVICE_SALT, account, which, generation), 0, 62)

    def address(self, draws: Draws, account: NDArray[np.int64], place: NDArray[np.int64]) -> NDArray[np.uint32]:
        """A network address: the one at home in that place two times in three, else a mobile network's."""
        n = account.shape[0]
        fixed = bits(mix(self.seed, _IP_SALT, account, place), 0, 32).astype(np.uint32)
        return np.where(draws.chance(0.67, n), fixed, draws.u32(n)) | np.uint32(1)

    def partner(self, account: NDArray[np.int64], which: NDArray[np.int64]) -> NDArray[np.int64]:
        """Number `which` of the counterparties an account sends money to."""
        return bits(mix(self.seed, _PARTNER_SALT, account, which), 0, 27)


def build_world(seed: int, accounts: int, start_ms: int, end_ms: int) -> World:
    """The world of a seed, with so many accounts."""
    merchants = open_merchants(Draws(seed, MERCHANT_STREAM), accounts)
    draws = Draws(seed, ACCOUNT_STREAM)
    n = accounts
    home = draws.pick(weighted(tuple(place.weight for place in PLACES), 1024), n)
    rhythm = draws.pick(weighted(RHYTHM_WEIGHTS), n)
    level = np.clip(scaled(np.int64(_LEVEL_CENTS) + np.zeros(n, np.int64), draws.pick(lognormal(60), n)), 300, 40_000)
    activity = np.clip(draws.pick(lognormal(90), n) >> 9, 1, _MOST_ACTIVE)
    favourites = np.empty((n, FAVOURITES), np.int32)
    for which in range(FAVOURITES):
        favourites[:, which] = merchants.popular(draws, home)
    return World(
        seed=seed,
        start_ms=start_ms,
        end_ms=end_ms,
        merchants=merchants,
        home=home.astype(np.uint8),
        rhythm=rhythm.astype(np.uint8),
        level=level,
        devices=(1 + draws.pick(weighted((60, 30, 10)), n)).astype(np.uint8),
        wallet=draws.chance(0.35, n),
        crypto=draws.chance(0.02, n),
        roaming=np.where(draws.chance(0.06, n), 60, 8).astype(np.uint8),
        favourites=favourites,
        slots=np.repeat(np.arange(n, dtype=np.int32), activity),
    )
