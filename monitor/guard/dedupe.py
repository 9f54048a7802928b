"""Who a transaction is, and what it says: the two numbers that tell a retry from another transaction."""

import numpy as np
from numpy.typing import NDArray

from monitor.wire import columns as cells
from monitor.wire.columns import Columns

_HALF = np.uint64(32)
_SHIFT = np.uint64(33)
_ODD_1, _ODD_2 = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)


def identity(columns: Columns) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
    """`(key_hash uint64[n], digest uint32[n])`.

    The key is the hash of `idempotency_key`, or of `transaction_id` where that is null; never 0 for a decoded record. The digest
    is of what a retry repeats: amount, currency, direction and merchant; event time and device may differ. Mixed by the
    finaliser of MurmurHash3 over hashes that are keyed already.
    """
    own, fallback = columns.hashes[cells.IDEMPOTENCY_KEY], columns.hashes[cells.TRANSACTION_ID]
    key_hash = np.where(own != 0, own, fallback)
    amount, direction = columns.longs[cells.AMOUNT_MINOR], columns.longs[cells.DIRECTION]
    mixed = _mix(amount.view(np.uint64) ^ _mix(columns.hashes[cells.CURRENCY]))
    mixed = _mix(mixed ^ _mix(columns.hashes[cells.MERCHANT_ID]) + direction.view(np.uint64))
    return key_hash, (mixed >> _HALF).astype(np.uint32)


def _mix(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    words = (words ^ (words >> _SHIFT)) * _ODD_1
    words = (words ^ (words >> _SHIFT)) * _ODD_2
    return words ^ (words >> _SHIFT)
