"""The last events of an account one by one: idempotency memory and exact short windows. numba pieces of `kernels.fold`.

Places fill from 0 on; a key of 0 is an empty place, and so are all after it.
"""

import numpy as np

from monitor.features.catalogue import INDEX
from monitor.jit import piece
from monitor.state.layout import MINUTE_MS, RING
from monitor.wire.columns import DEBIT

NEW, SAME, OTHER = range(3)
"""What the ring knows of a key: nothing, the same content, or only other content."""

_1M, _5M, _15M = MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS
_DEBIT = DEBIT

COUNT_1M, COUNT_5M, COUNT_15M = INDEX["count_1m"], INDEX["count_5m"], INDEX["count_15m"]
SUM_5M, MEAN_5M, MAX_5M = INDEX["sum_5m"], INDEX["mean_5m"], INDEX["max_5m"]
SMALL_COUNT_15M, SATURATED = INDEX["small_count_15m"], INDEX["ring_saturated"]


@piece
def look_up(account, key, digest):  # type: ignore[no-untyped-def]
    """NEW, SAME or OTHER for an idempotency key (uint64, not 0) and the digest (uint32) of the content it came with."""
    found = NEW
    for place in range(RING):
        if account.ring_key[place] == key:
            if account.ring_digest[place] == digest:
                return SAME
            found = OTHER
    return found


@piece
def short_windows(account, t, row):  # type: ignore[no-untyped-def]
    """Write the features of 1, 5 and 15 minutes before `t`, over debits with time in [t - W, t). Returns saturation."""
    count_1m, count_5m, count_15m, small = 0, 0, 0, 0
    sum_5m, max_5m = np.int64(0), np.int64(0)
    for place in range(RING):
        if account.ring_key[place] == 0:
            break
        age = t - account.ring_time[place]
        if age <= 0 or age > _15M or account.ring_direction[place] != _DEBIT:
            continue
        amount = account.ring_amount[place]
        count_15m += 1
        small += np.float64(amount) * 10.0 < account.amount_mean
        if age <= _5M:
            count_5m += 1
            sum_5m += amount
            max_5m = max(max_5m, amount)
            count_1m += age <= _1M
    saturated = t - _15M <= account.ring_floor
    row[COUNT_1M], row[COUNT_5M], row[COUNT_15M], row[SMALL_COUNT_15M] = count_1m, count_5m, count_15m, small
    row[SUM_5M], row[MAX_5M] = sum_5m, max_5m
    row[MEAN_5M] = np.float64(sum_5m) / np.float64(count_5m) if count_5m > 0 else 0.0
    row[SATURATED] = saturated
    return saturated


@piece
def horizon(account):  # type: ignore[no-untyped-def]
    """How far behind the account's newest event the one is that the next push forgets, in ms; -1 while the ring has room."""
    place = account.ring_next
    if account.ring_key[place] == 0:
        return np.int64(-1)
    return account.last_event_time - account.ring_time[place]


@piece
def push(account, t, amount, key, digest, merchant, device, country, direction, channel):  # type: ignore[no-untyped-def]
    """Remember an event in place of the oldest; `ring_floor` rises to the time of what is forgotten."""
    place = account.ring_next
    if account.ring_key[place] != 0:
        account.ring_floor = max(account.ring_floor, account.ring_time[place])
    account.ring_time[place] = t
    account.ring_amount[place] = amount
    account.ring_key[place] = key
    account.ring_digest[place] = digest
    account.ring_merchant[place] = merchant
    account.ring_device[place] = device
    account.ring_country[place] = country
    account.ring_direction[place] = direction
    account.ring_channel[place] = channel
    account.ring_next = (place + 1) % RING
