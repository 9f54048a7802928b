"""What an account is used to: merchants, devices, countries, hours of the day, and its earlier surprises, its busiest minutes. numba pieces."""

import numpy as np

from monitor.jit import piece
from monitor.state.layout import BUSY_DAYS, DAY_MS, HOUR_MS, SURPRISE_DAYS
from monitor.state.tiles import bounds

SURPRISE_Z = 3.0
"""A debit with a greater `amount_z` is a surprise."""

_FULL = np.iinfo(np.uint16).max
_MOST = np.iinfo(np.uint8).max


@piece
def is_new(used, value):  # type: ignore[no-untyped-def]
    """Whether a value is known (not 0) and not among those used; the very first is not new."""
    if value == 0 or used[0] == 0:
        return False
    new = True
    for place in range(used.shape[0]):
        new &= used[place] != value
    return new


@piece
def use(used, value):  # type: ignore[no-untyped-def]
    """Move `value` to the front, or put it there in place of the least recently used; 0 is no value."""
    if value == 0:
        return
    place = 0
    while place < used.shape[0] - 1 and used[place] != value:
        place += 1
    for behind in range(place, 0, -1):
        used[behind] = used[behind - 1]
    used[0] = value


@piece
def hour_rarity(account, t):  # type: ignore[no-untyped-def]
    """1 - events in this hour of day / events in the busiest one, times n / (n + 24); 0 without a past."""
    busiest = np.uint16(0)
    for hour in range(24):
        busiest = max(busiest, account.hours[hour])
    if busiest == 0:
        return 0.0
    n = np.float64(account.events)
    share = np.float64(account.hours[(t // HOUR_MS) % 24]) / np.float64(busiest)
    return (1.0 - share) * (n / (n + 24.0))


@piece
def count_hour(account, t):  # type: ignore[no-untyped-def]
    """Count an event in its hour of day, UTC; all are halved before one would overflow."""
    hour = (t // HOUR_MS) % 24
    if account.hours[hour] == _FULL:
        for each in range(24):
            account.hours[each] >>= np.uint16(1)
    account.hours[hour] += np.uint16(1)


@piece
def read_surprises(account, t, late):  # type: ignore[no-untyped-def]
    """Surprises in the 14 days up to the day of `t`; without that day for a late event."""
    oldest, newest = bounds(np.int64(account.surprise_head), t // DAY_MS, SURPRISE_DAYS, late)
    total = 0
    for day in range(oldest, newest + 1):
        total += account.surprises[day % SURPRISE_DAYS]
    return total


@piece
def count_surprise(account, t):  # type: ignore[no-untyped-def]
    """Count a surprise on the day of `t`, at most 255, unless that day has left the ring."""
    day, head = t // DAY_MS, np.int64(account.surprise_head)
    if day <= head - SURPRISE_DAYS:
        return
    for stale in range(max(head, day - SURPRISE_DAYS) + 1, day + 1):
        account.surprises[stale % SURPRISE_DAYS] = 0
    place = day % SURPRISE_DAYS
    if account.surprises[place] < _MOST:
        account.surprises[place] += np.uint8(1)
    account.surprise_head = max(head, day)


@piece
def read_busiest(account, t):  # type: ignore[no-untyped-def]
    """The greatest count_5m of the days before that of `t`, as far as the ring of days reaches: today's burst is no measure of itself."""
    day, head = t // DAY_MS, np.int64(account.busy_head)
    most = np.uint8(0)
    for each in range(max(day, head) - BUSY_DAYS + 1, min(day - 1, head) + 1):
        most = max(most, account.busiest[each % BUSY_DAYS])
    return most


@piece
def note_busy(account, t, count):  # type: ignore[no-untyped-def]
    """A debit at `t` had `count` debits in the five minutes before it."""
    day, head = t // DAY_MS, np.int64(account.busy_head)
    if day <= head - BUSY_DAYS:
        return
    for stale in range(max(head, day - BUSY_DAYS) + 1, day + 1):
        account.busiest[stale % BUSY_DAYS] = 0
    place = day % BUSY_DAYS
    account.busiest[place] = max(account.busiest[place], np.uint8(min(count, _MOST)))
    account.busy_head = max(head, day)
