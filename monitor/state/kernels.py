"""`fold`: a run meets its accounts, record by record in offset order, in one numba kernel.

Each admitted record is looked up (replay watermark, expiry, retry), described (one feature row, strictly from the past) and folded
into its account. Only integers and IEEE-exact operations (+ - * / sqrt) are used, so features and state are bit-equal on
every machine, however a stream is cut into runs. docs/state.md states the rules.
"""

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from monitor.errors import StateAheadError
from monitor.features.catalogue import ACCOUNT_FEATURES
from monitor.guard.reasons import Reason
from monitor.jit import LINE_BYTES, piece, prefetch
from monitor.state import layout
from monitor.state.baselines import learn_amount, learn_gap
from monitor.state.dispositions import Disposition, Flag
from monitor.state.feature_row import AMOUNT_Z, write_row
from monitor.state.habits import SURPRISE_Z, count_hour, count_surprise, note_busy, use
from monitor.state.layout import ACCOUNT, FRESH
from monitor.state.ring import COUNT_5M, OTHER, SAME, horizon, look_up, push
from monitor.state.tiles import SUM_LIMIT, add, has_room, mark_merchant, raise_largest
from monitor.wire import columns as cells
from monitor.wire.columns import Columns

COMPILED_IN = (
    "features/catalogue.py",
    "guard/reasons.py",
    "jit.py",
    "state/baselines.py",
    "state/dispositions.py",
    "state/feature_row.py",
    "state/habits.py",
    "state/kernels.py",
    "state/layout.py",
    "state/ring.py",
    "state/tiles.py",
    "wire/columns.py",
)
"""Files of `monitor/` whose code or constants become part of the kernel."""

_HOUR_AT, _HOUR_SIZE, _HOUR_LENGTH = layout.HOUR.offset, layout.HOUR.size_ms, layout.HOUR.count
_DAY_AT, _DAY_SIZE, _DAY_LENGTH = layout.DAY.offset, layout.DAY.size_ms, layout.DAY.count
_WEEK_AT, _WEEK_SIZE, _WEEK_LENGTH = layout.WEEK.offset, layout.WEEK.size_ms, layout.WEEK.count
_CREDIT_SIZE, _CREDIT_LENGTH = layout.CREDIT.size_ms, layout.CREDIT.count
_CREDIT = cells.CREDIT

_SCORED, _DUPLICATE, _REJECTED = (int(d) for d in (Disposition.SCORED, Disposition.DUPLICATE, Disposition.REJECTED))
_LATE, _LATE_NOT_FOLDED, _CONFLICT = int(Flag.LATE), int(Flag.LATE_NOT_FOLDED), int(Flag.CONFLICT)
_RING_SATURATED, _FIRST, _EXPIRED = int(Flag.RING_SATURATED), int(Flag.FIRST), int(Flag.EXPIRED)
_FORGOTTEN_TTLS = layout.FORGOTTEN_TTLS
_SUM_OVERFLOW = int(Reason.SUM_OVERFLOW)
_NONE, _TOP = np.uint32(0), np.uint64(32)


@dataclass(frozen=True, slots=True)
class Folded:
    """What a run's `n` records met. Rows that were not scored are 0 in `features`.

    `features` float64[n, len(ACCOUNT_FEATURES)]; `disposition` uint8[n], a `Disposition`; `flags` uint16[n], bits of `Flag`; `reason`
    uint8[n], a `Reason`, not 0 exactly where the disposition is REJECTED. `horizons_ms` int64[n]: for a record that pushed the oldest key out of its
    account's ring, the age of that key behind the account's newest event, else -1. `watermark_ms`: after the run.
    """

    features: NDArray[np.float64]
    disposition: NDArray[np.uint8]
    flags: NDArray[np.uint16]
    reason: NDArray[np.uint8]
    horizons_ms: NDArray[np.int64]
    watermark_ms: int


def fold(
    records: NDArray[np.void],
    slots: NDArray[np.int64],
    offsets: NDArray[np.int64],
    columns: Columns,
    *,
    reason: NDArray[np.uint8],
    base_amount: NDArray[np.int64],
    country: NDArray[np.uint16],
    key_hash: NDArray[np.uint64],
    digest: NDArray[np.uint32],
    idle_ttl_ms: int,
    watermark_ms: int,
) -> Folded:
    """Fold `n` records, in offset order, into `records` (ACCOUNT[capacity], changed in place) and describe each.

    `watermark_ms` is the greatest event time of the records scored before, 0 for none: an account more than two `idle_ttl_ms` behind it
    is forgotten. `slots` is -1 exactly where `reason` (of the admission) is not 0. `base_amount` is in base minor units, not negative;
    `country` 0 for none; `key_hash` never 0 where admitted. Each admitted record changes its slot's `last_offset`, also a
    duplicate or a rejected one: touched accounts are `np.unique(slots[slots >= 0])`.

    Raises `StateAheadError` when an account has already seen an offset; the records before it in the run are folded by then, so
    the state must not be used again.
    """
    n = len(columns)
    assert bool(((slots < 0) == (reason != 0)).all()), "a record has a slot exactly when it was admitted"
    features, disposition = np.zeros((n, len(ACCOUNT_FEATURES))), np.full(n, _REJECTED, np.uint8)
    flags, reasons, horizons = np.zeros(n, np.uint16), reason.copy(), np.full(n, -1, np.int64)
    stopped, watermark = _kernel()(
        records, records.view(np.int64).reshape(-1, ACCOUNT.itemsize // 8), FRESH, slots, offsets, columns.longs, columns.hashes, base_amount, country, key_hash, digest,
        idle_ttl_ms, watermark_ms, features, disposition, flags, reasons, horizons,
    )  # fmt: skip
    if stopped >= 0:
        slot, offset = int(slots[stopped]), int(offsets[stopped])
        raise StateAheadError(
            f"offset {offset} (slot {slot}): the account has already seen offset {int(records['last_offset'][slot])}; "
            "the changelog is ahead of the audit log, so one of the two is not this installation's: check app_id and the "
            "topic names, or rebuild the state from the audited transactions"
        )
    return Folded(features, disposition, flags, reasons, horizons, watermark)


_AHEAD = 4
"""Records between asking for an account's memory and folding into it."""

_WORDS_A_LINE = LINE_BYTES // 8
_LINES = -(-ACCOUNT.itemsize // LINE_BYTES)


def warm_up() -> None:
    """Compile the kernel, or load it from numba's cache: some ten seconds, once a machine and version."""
    _kernel()


@functools.cache
def _kernel() -> Callable[..., tuple[int, int]]:
    """The compiled kernel. Nothing is compiled by importing this module.

    numba's cache watches the file of the outermost function only, and its closure: the digest of all files that are compiled
    in stands in the closure, so that a change to any of them is a new entry. For the same reason the pieces are not cached
    by themselves.
    """
    monitor = Path(__file__).parents[1]
    sources = hashlib.sha256(b"".join((monitor / file).read_bytes() for file in COMPILED_IN)).hexdigest()

    def run(  # type: ignore[no-untyped-def]
        records, words, fresh, slots, offsets, longs, hashes, amounts, countries, keys, digests,
        idle_ttl_ms, watermark, features, dispositions, flags, reasons, horizons,
    ):  # fmt: skip
        _ = sources
        for i in range(slots.shape[0]):
            _ask_ahead(words, slots, i + _AHEAD)
            if slots[i] < 0:
                continue
            account = records[slots[i]]
            if offsets[i] <= account.last_offset:
                return i, watermark
            t, direction, channel = longs[cells.EVENT_TIME, i], longs[cells.DIRECTION, i], longs[cells.CHANNEL, i]
            flags[i] |= _begin_anew(records, slots[i], fresh, t, watermark, idle_ttl_ms)
            account.last_offset = offsets[i]
            known = look_up(account, keys[i], digests[i])
            if known == SAME:
                dispositions[i] = _DUPLICATE
                continue
            late = t < account.last_event_time
            too_late = late and t <= account.ring_floor
            if not _fits(account, t, amounts[i], direction == _CREDIT, too_late):
                reasons[i] = _SUM_OVERFLOW
                continue
            merchant, device = _short(hashes[cells.MERCHANT_ID, i]), _short(hashes[cells.DEVICE_ID, i])
            row = features[i]
            saturated = write_row(
                account, t, amounts[i], direction == _CREDIT, merchant, device, countries[i], late, row
            )
            flags[i] |= (
                (_LATE if late else 0)
                | (_LATE_NOT_FOLDED if too_late else 0)
                | (_CONFLICT if known == OTHER else 0)
                | (_RING_SATURATED if saturated else 0)
                | (_FIRST if account.events == 0 else 0)
            )
            dispositions[i] = _SCORED
            watermark = max(watermark, t)
            if not too_late:
                _learn(account, t, amounts[i], direction == _CREDIT, merchant, device, countries[i], row)
            horizons[i] = horizon(account)
            push(account, t, amounts[i], keys[i], digests[i], merchant, device, countries[i], direction, channel)
        return -1, watermark

    compiled: Callable[..., tuple[int, int]] = nb.njit(_signature(), cache=True, nogil=True, _nrt=False)(run)  # type: ignore[call-overload]
    return compiled


def _signature() -> Any:
    """Of the kernel: compiled once, for arrays that may be read-only; whatever else is passed raises TypeError."""

    def reads(dtype: Any, dimensions: int = 1) -> Any:
        return nb.types.Array(dtype, dimensions, "C", readonly=True)

    def writes(dtype: Any, dimensions: int = 1) -> Any:
        return nb.types.Array(dtype, dimensions, "C")

    record = nb.from_dtype(ACCOUNT)
    stopped_and_watermark: Any = nb.types.UniTuple(nb.int64, 2)  # type: ignore[no-untyped-call]
    return stopped_and_watermark(
        writes(record), reads(nb.int64, 2), reads(record), reads(nb.int64), reads(nb.int64), reads(nb.int64, 2), reads(nb.uint64, 2),
        reads(nb.int64), reads(nb.uint16), reads(nb.uint64), reads(nb.uint32), nb.int64, nb.int64,
        writes(nb.float64, 2), writes(nb.uint8), writes(nb.uint16), writes(nb.uint8), writes(nb.int64),
    )  # fmt: skip


@piece
def _ask_ahead(words, slots, i):  # type: ignore[no-untyped-def]
    """Have the processor bring the account of record `i`, if there is one: 35 lines, waited for one by one, are half of a fold."""
    if i < slots.shape[0] and slots[i] >= 0:
        for line in range(_LINES):
            prefetch(words, slots[i], line * _WORDS_A_LINE)


@piece
def _begin_anew(records, slot, fresh, t, watermark, idle_ttl_ms):  # type: ignore[no-untyped-def]
    """Make the account fresh if it is forgotten or has expired at time `t`; only the latter leaves a flag, which is returned."""
    account = records[slot]
    if account.events == 0:
        return 0
    forgotten = account.last_event_time < watermark - _FORGOTTEN_TTLS * idle_ttl_ms
    if not forgotten and t - account.last_event_time <= idle_ttl_ms:
        return 0
    _refresh(records, slot, fresh)
    return 0 if forgotten else _EXPIRED


@piece
def _refresh(records, slot, fresh):  # type: ignore[no-untyped-def]
    """All but the cool-down: alerts of this run on events before this one are yet to be decided on (`decide/cooldown.py` begins anew by itself)."""
    account = records[slot]
    alerted_at, late_alerted_at, withheld = account.alerted_at, account.late_alerted_at, account.withheld
    records[slot] = fresh[0]
    account.alerted_at, account.late_alerted_at, account.withheld = alerted_at, late_alerted_at, withheld


@piece
def _short(digest):  # type: ignore[no-untyped-def]
    """The high half of a 64-bit hash; 0 only for null."""
    if digest == 0:
        return _NONE
    return max(np.uint32(digest >> _TOP), np.uint32(1))


@piece
def _fits(account, t, amount, credit, too_late):  # type: ignore[no-untyped-def]
    """Whether every sum that the amount would be added to stays within SUM_LIMIT."""
    if amount > SUM_LIMIT or too_late:
        return amount <= SUM_LIMIT
    if credit:
        return has_room(account.credit_sum, 0, _CREDIT_SIZE, _CREDIT_LENGTH, account.credit_head, t, amount)
    return (
        has_room(account.tile_sum, _HOUR_AT, _HOUR_SIZE, _HOUR_LENGTH, account.hour_head, t, amount)
        and has_room(account.tile_sum, _DAY_AT, _DAY_SIZE, _DAY_LENGTH, account.day_head, t, amount)
        and has_room(account.tile_sum, _WEEK_AT, _WEEK_SIZE, _WEEK_LENGTH, account.week_head, t, amount)
    )


@piece
def _learn(account, t, amount, credit, merchant, device, country, row):  # type: ignore[no-untyped-def]
    """The event, whose features are `row`, becomes the account's past; all but the ring."""
    if credit:
        account.credit_head = add(
            account.credit_count, account.credit_sum, 0, _CREDIT_SIZE, _CREDIT_LENGTH, account.credit_head, t, amount
        )
    else:
        _learn_debit(account, t, amount, merchant)
        if row[AMOUNT_Z] > SURPRISE_Z:
            count_surprise(account, t)
        note_busy(account, t, np.int64(row[COUNT_5M]))
        learn_amount(account, amount)
    use(account.merchants, merchant)
    use(account.devices, device)
    use(account.countries, country)
    count_hour(account, t)
    if account.events == 0:
        account.first_seen = t
    elif t >= account.last_event_time:
        learn_gap(account, t)
    if country != 0 and t >= account.last_event_time:
        account.last_country = country
    account.last_event_time = max(account.last_event_time, t)
    account.events += 1


@piece
def _learn_debit(account, t, amount, merchant):  # type: ignore[no-untyped-def]
    counts, sums, maxima = account.tile_count, account.tile_sum, account.tile_max
    raise_largest(maxima, _HOUR_AT, _HOUR_SIZE, _HOUR_LENGTH, account.hour_head, t, amount)
    raise_largest(maxima, _DAY_AT, _DAY_SIZE, _DAY_LENGTH, account.day_head, t, amount)
    raise_largest(maxima, _WEEK_AT, _WEEK_SIZE, _WEEK_LENGTH, account.week_head, t, amount)
    mark_merchant(account.merchant_sketch, account.day_head, t, merchant)
    account.hour_head = add(counts, sums, _HOUR_AT, _HOUR_SIZE, _HOUR_LENGTH, account.hour_head, t, amount)
    account.day_head = add(counts, sums, _DAY_AT, _DAY_SIZE, _DAY_LENGTH, account.day_head, t, amount)
    account.week_head = add(counts, sums, _WEEK_AT, _WEEK_SIZE, _WEEK_LENGTH, account.week_head, t, amount)
