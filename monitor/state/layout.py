"""The account record: one fixed-size numpy structured value an account.

A changelog value is a header with `VERSION`, then the record's bytes without their zeros (`packing.py`). A newer version is refused; an
older one is migrated. Every number is an integer, or a float64/float32 computed without fast-math, so that a replay is bit-equal.

Windows are rings of tiles, one ring a family; the tile of time `t` in a ring of `k` tiles of `size` ms is `t // size`, at place
`(t // size) % k`. `*_head` is the newest tile's number; places of tiles not in `(head - k, head]` were zeroed when the head
moved. A window read at time `t` covers the tiles in `(T - k, T]`, `T = t // size`, before this event is added: between
`k - 1` and `k` tiles of time before `t`. Counts, sums and maxima in tiles are of debits; credits have tiles of their own.

The ring holds the last `RING` events of the account in order of arrival, debits and credits: exact short windows and the
idempotency memory in one. `ring_floor` is the greatest event time that was ever evicted from it: a short window `[t - W, t)`
is exact while `t - W > ring_floor`, and a late event (before `last_event_time`) at or before `ring_floor` is later than the
ring: scored and remembered by the ring, never folded. docs/state.md has the rules in full and the table of bytes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

VERSION = 3
"""Of the layout; stands in front of every changelog value and in each audit block."""

FIRST_PACKED = 2
"""The version from which on records stand packed in the changelog; version 1 wrote their bytes as they are."""

HEADER_BYTES = 8
"""In front of each record in the changelog: the version and the record's size, as `migrations.Layout.header` has them."""

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class Tiles:
    """A family of tiles: `count` tiles of `size_ms`, at `offset` in the record's tile arrays."""

    size_ms: int
    count: int
    offset: int


HOUR = Tiles(5 * MINUTE_MS, 12, 0)
DAY = Tiles(HOUR_MS, 24, 12)
WEEK = Tiles(6 * HOUR_MS, 28, 36)
TILES = HOUR.count + DAY.count + WEEK.count

CREDIT = Tiles(4 * HOUR_MS, 6, 0)
"""Credits of the last 24 h; in arrays of their own."""

RING = 16
"""Events remembered one by one: the horizon of duplicate detection, and of exact short windows."""

MERCHANTS, DEVICES, COUNTRIES = 24, 8, 8
"""Distinct values remembered, most recently used first; 0 is an empty place."""

SURPRISE_DAYS = BUSY_DAYS = 14

FORGOTTEN_TTLS = 2
"""Idle times to live behind the partition's watermark after which an account is forgotten, as if it had never been."""

NEVER = np.iinfo(np.int64).min
"""The event time of nothing: before every other."""

ACCOUNT = np.dtype(
    [
        # identity and watermarks
        ("last_offset", "<i8"),  # of the source partition; the exact replay watermark
        ("first_seen", "<i8"),  # ms, event time of the first event
        ("last_event_time", "<i8"),  # ms, the greatest event time folded
        ("ring_floor", "<i8"),  # ms, the greatest event time evicted from the ring, NEVER if none
        ("events", "<i8"),  # folded since first_seen
        # baselines of debits, exponentially weighted, updates clipped at mean + 3 deviations
        ("amount_mean", "<f8"),  # base currency, minor units
        ("amount_variance", "<f8"),
        ("gap_mean", "<f8"),  # ms between events
        ("debits", "<i8"),  # that the baselines have seen
        # debit windows
        ("tile_sum", "<i8", (TILES,)),  # base currency, minor units
        ("tile_count", "<u4", (TILES,)),
        ("tile_max", "<f4", (TILES,)),  # base currency, minor units, rounded to float32
        ("merchant_sketch", "<u4", (DAY.count,)),  # 32-bit linear counting of merchants, one an hour
        # credit windows
        ("credit_sum", "<i8", (CREDIT.count,)),
        ("credit_count", "<u4", (CREDIT.count,)),
        # newest tile of each family
        ("hour_head", "<i8"),
        ("day_head", "<i8"),
        ("week_head", "<i8"),
        ("credit_head", "<i8"),
        # the last events, by order of arrival; place ring_next is the oldest once the ring is full
        ("ring_time", "<i8", (RING,)),  # ms
        ("ring_amount", "<i8", (RING,)),  # base currency, minor units
        ("ring_key", "<u8", (RING,)),  # hash of the idempotency key, 0 is an empty place
        ("ring_digest", "<u4", (RING,)),  # of the content, to tell a retry from a conflict
        ("ring_merchant", "<u4", (RING,)),
        ("ring_device", "<u4", (RING,)),
        ("ring_country", "<u2", (RING,)),
        ("ring_direction", "u1", (RING,)),
        ("ring_channel", "u1", (RING,)),
        # what the account is used to
        ("merchants", "<u4", (MERCHANTS,)),
        ("devices", "<u4", (DEVICES,)),
        ("surprise_head", "<i4"),  # the newest day, days since the epoch
        ("countries", "<u2", (COUNTRIES,)),
        ("hours", "<u2", (24,)),  # events an hour of day, UTC; all halved when one would overflow
        ("last_country", "<u2"),  # of the last event that came in order and had one; 0 for none
        ("surprises", "u1", (SURPRISE_DAYS,)),  # debits a day with z > 3, at day % SURPRISE_DAYS, at most 255
        ("ring_next", "u1"),
        ("busiest", "u1", (BUSY_DAYS,)),  # greatest count_5m of a debit a day, at day % BUSY_DAYS
        ("unused", "u1"),  # zero; keeps what follows aligned
        ("busy_head", "<i4"),  # the newest day of `busiest`, days since the epoch
        # cool-downs, see monitor/decide/cooldown.py
        ("withheld", "<u4"),  # alerts held back, that no alert has told yet
        ("late_alerted_at", "<u4"),  # s, event time of the alert that began the cool-down of late payments, 0 for none
        ("alerted_at", "<i8"),  # ms, event time of the alert that began the cool-down, 0 for none
    ]
)
"""Version 3. Versions 1 and 2 end with `ring_next` and three spare bytes, and differ from each other in the changelog alone."""

ADDED_BY_3 = 32
"""Bytes that version 3 has behind those of version 2; zero in an account that has not sent an alert yet."""

assert ACCOUNT.itemsize % 8 == 0, f"the account record must stay a multiple of 8 bytes: {ACCOUNT.itemsize}"


def _fresh() -> NDArray[np.void]:
    record = np.zeros(1, ACCOUNT)
    record["last_offset"] = -1
    for name in ("first_seen", "last_event_time", "ring_floor"):
        record[name] = NEVER
    record.flags.writeable = False
    return record


FRESH = _fresh()
"""ACCOUNT[1], read-only: an account before its first event. Tile 0 is long gone, so a head of 0 means that no tile was written."""
