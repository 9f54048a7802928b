"""A run's transactions as columns: numbers in arrays, strings as spans of one buffer with a keyed 64-bit hash each.

Nothing here is a Python object a record: only records that become alerts or dead letters are ever materialised.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LONGS = ("event_time", "amount_minor", "direction", "channel")
"""Rows of `Columns.longs`. Enums are the index of their symbol in `schemas/transaction.avsc`."""

STRINGS = (
    "transaction_id",
    "account_id",
    "currency",
    "merchant_id",
    "merchant_category",
    "country",
    "device_id",
    "ip",
    "idempotency_key",
)
"""Rows of `Columns.starts`, `lengths` and `hashes`."""

EVENT_TIME, AMOUNT_MINOR, DIRECTION, CHANNEL = range(len(LONGS))
(
    TRANSACTION_ID,
    ACCOUNT_ID,
    CURRENCY,
    MERCHANT_ID,
    MERCHANT_CATEGORY,
    COUNTRY,
    DEVICE_ID,
    IP,
    IDEMPOTENCY_KEY,
) = range(len(STRINGS))

DIRECTIONS = ("debit", "credit")
DEBIT, CREDIT = range(2)
CHANNELS = ("card", "transfer", "direct_debit", "wallet", "on_chain")


@dataclass(frozen=True, slots=True)
class Columns:
    """`n` transactions, in the run's order. Where `reason` is not 0 the record could not be decoded and its cells are 0.

    Shapes: `data` uint8[bytes]; `longs` int64[4, n]; `starts` int64[9, n] into `data`; `lengths` int32[9, n], -1 for null;
    `hashes` uint64[9, n], SipHash of the bytes under the deployment's hash key, 0 for null; `reason` uint8[n], a
    `monitor.guard.reasons.Reason`; `schema_ids` int32[n], -1 where there is none.
    """

    data: NDArray[np.uint8]
    longs: NDArray[np.int64]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int32]
    hashes: NDArray[np.uint64]
    reason: NDArray[np.uint8]
    schema_ids: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.reason)

    def text(self, field: int, row: int) -> str | None:
        """The string in row `row` of string field `field` (an index into `STRINGS`); None for null."""
        length = int(self.lengths[field, row])
        if length < 0:
            return None
        start = int(self.starts[field, row])
        return self.data[start : start + length].tobytes().decode()
