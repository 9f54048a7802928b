"""What incidents of all scenarios are made of: victims, moments, strangers' devices, labels."""

import numpy as np
from numpy.typing import NDArray

from monitor.simulate.draws import Draws, lognormal, scaled
from monitor.simulate.genuine import ONLINE
from monitor.simulate.merchants import CODES
from monitor.simulate.places import CURRENCY_OF, PLACES, ZONE_MS, in_currency_of
from monitor.simulate.rhythm import DAY_MS, HOUR_MS
from monitor.simulate.rows import CARD, COUNTERPARTY, TRANSFER, Rows, blank
from monitor.simulate.world import World

PAST = 3
"""Fraud starts after the first third of the stream: before, accounts only gather their past."""

_DISPUTE_DAYS = 3
_QUICKEST_MS = HOUR_MS


def victims(world: World, draws: Draws, n: int) -> NDArray[np.int64]:
    """At most `n` different accounts, the active ones likelier; in random order."""
    drawn = world.slots[draws.below(world.slots.shape[0], 4 * n + 16)].astype(np.int64)
    return drawn[np.sort(np.unique(drawn, return_index=True)[1])][:n]


def moments(world: World, draws: Draws, n: int, need_ms: int) -> NDArray[np.int64]:
    """`n` times after the first third of the stream, such that `need_ms` more fit in; fewer fit in where it is too short."""
    low = world.start_ms + (world.end_ms - world.start_ms) // PAST
    return low + draws.between(0, max(world.end_ms - need_ms - low, 0), n)


def at_night(world: World, draws: Draws, time: NDArray[np.int64], account: NDArray[np.int64]) -> NDArray[np.int64]:
    """The times moved into the small hours, 1 to 4, of the account's own clock, on the same day or the next."""
    zone = ZONE_MS[world.home[account]]
    local_day = (time + zone) // DAY_MS * DAY_MS
    night = local_day + HOUR_MS + draws.below(3 * HOUR_MS, time.shape[0]) - zone
    return np.where(night < time, night + DAY_MS, night)


def steps(counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For incidents of so many rows each: the incident each row belongs to, and its place in it, from 0."""
    incident = np.repeat(np.arange(counts.shape[0]), counts)
    first = np.cumsum(counts) - counts
    return incident, np.arange(incident.shape[0]) - first[incident]


def abroad(world: World, draws: Draws, account: NDArray[np.int64]) -> NDArray[np.int64]:
    """A place for each account that is not its home."""
    home = world.home[account].astype(np.int64)
    return (home + 1 + draws.below(len(PLACES) - 1, account.shape[0])) % len(PLACES)


def strange_device(draws: Draws, n: int) -> NDArray[np.int64]:
    """Devices that no account has had: their numbers lie above those of `World.device`."""
    return (1 << 62) + (draws.u64(n) >> np.uint64(2)).astype(np.int64)


def fraud_rows(draws: Draws, code: int, account: NDArray[np.int64], time: NDArray[np.int64]) -> Rows:
    """Rows of scenario `code`, found out after some days: lognormal with median 3, an hour at least."""
    n = account.shape[0]
    rows = blank(n)
    rows["account"], rows["time"], rows["scenario"] = account, time, code
    delay = scaled(np.full(n, _DISPUTE_DAYS * DAY_MS, np.int64), draws.pick(lognormal(90), n))
    rows["label_delay"] = np.maximum(delay + draws.below(HOUR_MS, n), _QUICKEST_MS)
    rows["keyed"] = 1
    return rows


def spend_online(
    world: World, rows: Rows, merchant: NDArray[np.int64], place: NDArray[np.int64], cents: NDArray[np.int64]
) -> None:
    """Make the rows card payments at web shops, from `place`."""
    rows["channel"], rows["attributes"] = CARD, ONLINE
    rows["merchant"], rows["category"] = merchant, CODES[world.merchants.category[merchant]]
    rows["place"], rows["currency"], rows["amount"] = place, CURRENCY_OF[place], in_currency_of(place, cents)


def send(world: World, rows: Rows, partner: NDArray[np.int64], cents: NDArray[np.int64]) -> None:
    """Make the rows transfers to counterparties, in the accounts' own currency."""
    home = world.home[rows["account"]].astype(np.int64)
    rows["channel"], rows["merchant"] = TRANSFER, COUNTERPARTY + partner
    rows["currency"], rows["amount"] = CURRENCY_OF[home], in_currency_of(home, cents)


def strangers(draws: Draws, n: int) -> NDArray[np.int64]:
    """Counterparties that no account has paid: their numbers lie above those of genuine ones."""
    return (1 << 27) + draws.below(1 << 26, n)


def inside(world: World, rows: Rows) -> Rows:
    """Without what a very short stream has no time for."""
    return rows[rows["time"] < world.end_ms]
