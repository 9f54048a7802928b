"""A payment while it is being made up: small integers, one structured row each; `batch.py` writes them out as text."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

ROW = np.dtype(
    [
        ("time", "<i8"),  # ms, UTC: the event time
        ("arrival", "<i8"),  # ms, UTC: when it is written; later than `time` for a late event
        ("amount", "<i8"),  # minor units of the currency
        ("label_delay", "<i8"),  # ms after `time` until the fraud is known; 0 for genuine
        ("number", "<i8"),  # of the transaction; -1 until it is given out
        ("original", "<i8"),  # number whose idempotency key this carries: its own, or that of the payment it retries
        ("device", "<i8"),  # -1: none
        ("account", "<i4"),
        ("merchant", "<i4"),  # merchant, or counterparty from `COUNTERPARTY` up; -1: none
        ("ip", "<u4"),  # 0: none
        ("category", "<u2"),  # merchant category code; 0: none
        ("currency", "u1"),  # index into places.CURRENCIES
        ("direction", "u1"),  # index into wire.columns.DIRECTIONS
        ("channel", "u1"),  # index into wire.columns.CHANNELS
        ("place", "u1"),  # index into places.PLACES; `NOWHERE`: none
        ("attributes", "u1"),  # index into batch.ATTRIBUTES
        ("scenario", "u1"),  # code of the scenario; 0: genuine
        ("keyed", "u1"),  # 1: has an idempotency key
    ]
)

NOWHERE = 255
COUNTERPARTY = 1 << 28
"""Merchant numbers from here up are counterparties of transfers."""

CARD, TRANSFER, DIRECT_DEBIT, WALLET, ON_CHAIN = range(5)
DEBIT, CREDIT = range(2)

Rows = NDArray[np.void]


def blank(n: int) -> Rows:
    """`n` genuine rows with nothing in them: no merchant, no device, no place."""
    rows = np.zeros(n, ROW)
    rows["number"] = rows["original"] = rows["device"] = rows["merchant"] = -1
    rows["place"] = NOWHERE
    return rows


def joined(parts: Sequence[Rows]) -> Rows:
    """All rows of the parts, in order."""
    return np.concatenate([np.zeros(0, ROW), *parts])


def by_time(rows: Rows) -> Rows:
    """The rows in order of event time; equal times keep their order."""
    return rows[np.argsort(rows["time"], kind="stable")]
