"""The checks of admission, a row at a time: numba kernels over a run's columns. Who calls them, and the order: validate.py."""

import numpy as np

from monitor.guard.reasons import Reason
from monitor.jit import inlined, kernel
from monitor.money.currencies import place
from monitor.money.exchange import scale
from monitor.wire import columns as cells

MAX_ID_BYTES = 128
"""Longest transaction_id, account_id, idempotency_key and other string that is looked at, in bytes of UTF-8."""

EARLIEST_EVENT_TIME_MS = 946_684_800_000
"""2000-01-01T00:00:00Z: an older event is a clock or a unit gone wrong."""

# Numba freezes globals as constants; an IntEnum member would not be one.
_MISSING_KEY, _FOREIGN_KEY = int(Reason.MISSING_KEY), int(Reason.FOREIGN_KEY)
_BAD_TRANSACTION_ID, _BAD_ACCOUNT_ID = int(Reason.BAD_TRANSACTION_ID), int(Reason.BAD_ACCOUNT_ID)
_BAD_IDEMPOTENCY_KEY, _BAD_STRING = int(Reason.BAD_IDEMPOTENCY_KEY), int(Reason.BAD_STRING)
_NEGATIVE_AMOUNT, _AMOUNT_OUT_OF_RANGE = int(Reason.NEGATIVE_AMOUNT), int(Reason.AMOUNT_OUT_OF_RANGE)
_UNKNOWN_CURRENCY, _NO_EXCHANGE_RATE = int(Reason.UNKNOWN_CURRENCY), int(Reason.NO_EXCHANGE_RATE)
_BAD_COUNTRY = int(Reason.BAD_COUNTRY)
_IN_FUTURE, _OUT_OF_RANGE = int(Reason.EVENT_TIME_IN_FUTURE), int(Reason.EVENT_TIME_OUT_OF_RANGE)

_A, _Z = ord("A"), ord("Z")
_BAD_PLACE = -1


@kernel
def judge_rows(  # type: ignore[no-untyped-def]
    data,
    longs,
    starts,
    lengths,
    key_data,
    key_starts,
    key_lengths,
    numerators,
    denominators,
    most,
    latest,
    reason,
    base_amount,
    country,
):
    """Fill `reason` (uint8[n]; rows not 0 on entry are passed over), `base_amount` (int64[n]) and `country` (uint16[n]).

    Columns as in `monitor.wire.columns`; keys as in `Spans`; rates as in
    `ExchangeTable`; `most` minor units; `latest` ms.
    """
    for row in range(reason.shape[0]):
        if reason[row] == 0:
            why = _check_key(data, starts, lengths, row, key_data, key_starts[row], key_lengths[row])
            if why == 0:
                why = _check_strings(lengths, row)
            value = np.int64(0)
            if why == 0:
                why, value = _check_money(data, longs, starts, lengths, row, numerators, denominators, most)
            where = np.int64(0)
            if why == 0:
                where = _country(data, starts[cells.COUNTRY, row], lengths[cells.COUNTRY, row])
                why = _BAD_COUNTRY if where == _BAD_PLACE else _check_time(longs[cells.EVENT_TIME, row], latest)
            reason[row] = why
            if why == 0:
                base_amount[row] = value
                country[row] = where


@inlined
def _check_key(data, starts, lengths, row, key_data, key_start, key_length):  # type: ignore[no-untyped-def]
    """Reasons 40 and 41: the key is there, and is the account_id byte for byte."""
    if key_length <= 0:
        return _MISSING_KEY
    if key_length != lengths[cells.ACCOUNT_ID, row]:
        return _FOREIGN_KEY
    start = starts[cells.ACCOUNT_ID, row]
    for at in range(key_length):
        if key_data[key_start + at] != data[start + at]:
            return _FOREIGN_KEY
    return 0


@inlined
def _check_strings(lengths, row):  # type: ignore[no-untyped-def]
    """Reasons 42 to 45: lengths in bytes."""
    if not 1 <= lengths[cells.TRANSACTION_ID, row] <= MAX_ID_BYTES:
        return _BAD_TRANSACTION_ID
    if not 1 <= lengths[cells.ACCOUNT_ID, row] <= MAX_ID_BYTES:
        return _BAD_ACCOUNT_ID
    if lengths[cells.IDEMPOTENCY_KEY, row] == 0 or lengths[cells.IDEMPOTENCY_KEY, row] > MAX_ID_BYTES:
        return _BAD_IDEMPOTENCY_KEY
    for field in (cells.MERCHANT_ID, cells.MERCHANT_CATEGORY, cells.DEVICE_ID, cells.IP):
        if lengths[field, row] > MAX_ID_BYTES:
            return _BAD_STRING
    return 0


@inlined
def _check_money(data, longs, starts, lengths, row, numerators, denominators, most):  # type: ignore[no-untyped-def]
    """Reasons 46 to 49, 47 again for the base value: `(reason, base minor units)`."""
    nothing = np.int64(0)
    amount = longs[cells.AMOUNT_MINOR, row]
    if amount < 0:
        return _NEGATIVE_AMOUNT, nothing
    if amount > most:
        return _AMOUNT_OUT_OF_RANGE, nothing
    at = np.int64(_BAD_PLACE)
    if lengths[cells.CURRENCY, row] == 3:
        start = starts[cells.CURRENCY, row]
        at = place(np.int64(data[start]) << 16 | np.int64(data[start + 1]) << 8 | np.int64(data[start + 2]))
    if at < 0 or denominators[at] < 0:
        return _UNKNOWN_CURRENCY, nothing
    if denominators[at] == 0:
        return _NO_EXCHANGE_RATE, nothing
    value = scale(amount, numerators[at], denominators[at])
    if value < 0 or value > most:
        return _AMOUNT_OUT_OF_RANGE, nothing
    return 0, value


@inlined
def _country(data, start, length):  # type: ignore[no-untyped-def]
    """Two capital letters as `first << 8 | second`, 0 for null, -1 for anything else."""
    if length < 0:
        return np.int64(0)
    if length != 2 or not (_A <= data[start] <= _Z and _A <= data[start + 1] <= _Z):
        return np.int64(_BAD_PLACE)
    return np.int64(data[start]) << 8 | np.int64(data[start + 1])


@inlined
def _check_time(event_time, latest):  # type: ignore[no-untyped-def]
    """Reasons 51 and 52; only compared, so that no value overflows."""
    if event_time > latest:
        return _IN_FUTURE
    return _OUT_OF_RANGE if event_time < EARLIEST_EVENT_TIME_MS else 0
