"""Admission: what a decoded transaction must be before it may touch state. Every record gets one reason, the first that applies.

The order is that of the numbers in `monitor.guard.reasons`, decode reasons before all. AMOUNT_OUT_OF_RANGE applies once more, last
of the money checks, to the value in the base currency.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.guard.row_checks import judge_rows
from monitor.money.exchange import MAX_AMOUNT_MINOR, ExchangeTable
from monitor.wire.columns import Columns
from monitor.wire.records import Spans

_INT64_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of what is plausible. `max_amount_minor` holds in a transaction's own currency and in the base currency."""

    max_amount_minor: int
    future_skew_ms: int


@dataclass(frozen=True, slots=True)
class Admission:
    """What `admit` found, a cell a record: `reason` uint8[n], 0 where admitted; `base_amount` int64[n], minor units of the base
    currency, 0 where rejected; `country` uint16[n], first letter << 8 | second, 0 for none and where rejected.
    """

    reason: NDArray[np.uint8]
    base_amount: NDArray[np.int64]
    country: NDArray[np.uint16]

    @property
    def admitted(self) -> NDArray[np.bool_]:
        """bool[n]: who may touch state."""
        admitted: NDArray[np.bool_] = self.reason == 0
        return admitted


def admit(columns: Columns, keys: Spans, exchange: ExchangeTable, limits: Limits, now_ms: int) -> Admission:
    """Judge each of `columns`' n records, whose Kafka keys are `keys`, at wall time `now_ms`. Raises nothing about content."""
    count = len(columns)
    assert len(keys) == count, f"{len(keys)} keys for {count} records"
    reason = columns.reason.copy()
    base_amount = np.zeros(count, np.int64)
    country = np.zeros(count, np.uint16)
    latest = min(now_ms + limits.future_skew_ms, _INT64_MAX)
    most = min(limits.max_amount_minor, MAX_AMOUNT_MINOR)
    judge_rows(
        columns.data, columns.longs, columns.starts, columns.lengths, keys.data, keys.starts, keys.lengths,
        exchange.numerators, exchange.denominators, most, latest, reason, base_amount, country,
    )  # fmt: skip
    return Admission(reason, base_amount, country)
