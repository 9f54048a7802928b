"""Payments of the past, played the very way they go when serving: through the same kernels and the same state.

admit -> fold, with all accounts in one partition, in the order given. So a feature in training is the feature in serving, bit for
bit, and is computed strictly from the past of its payment.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.guard.dedupe import identity
from monitor.guard.validate import Admission, Limits, admit
from monitor.learn.payments import Payments
from monitor.money.exchange import ExchangeTable
from monitor.state.accounts import Accounts
from monitor.state.dispositions import Disposition
from monitor.state.kernels import Folded, fold
from monitor.state.layout import DAY_MS
from monitor.wire.hashing import HashKey

HASH_KEY = HashKey.parse("00" * 16)
"""Features hold no hash, only whether two are equal: the deployment's key does not matter to a model."""

LIMITS = Limits(max_amount_minor=10**15, future_skew_ms=300_000)
IDLE_TTL_MS = 400 * DAY_MS


class Played(NamedTuple):
    """A slice, played: `part`, its payments, of which the first is number `offset` of all; `slots` int64[n], equal for one account; `scored` int64[s]: the rows that
    have features.
    """

    part: Payments
    offset: int
    admission: Admission
    slots: NDArray[np.int64]
    folded: Folded
    scored: NDArray[np.int64]


def play(slices: Iterable[Payments], exchange: ExchangeTable) -> Iterator[Played]:
    """Each slice in turn. Memory: 2.5 KB an account."""
    accounts, offset, watermark_ms = Accounts(), 0, 0
    for part in slices:
        admission = admit(part.columns, part.keys, exchange, LIMITS, int(part.event_time.max(initial=0)))
        slots = accounts.slots(part.keys, admission.reason == 0)
        folded = _fold(accounts, slots, offset, part, admission, watermark_ms)
        scored = np.flatnonzero(folded.disposition == int(Disposition.SCORED))
        yield Played(part, offset, admission, slots, folded, scored)
        offset, watermark_ms = offset + len(part), folded.watermark_ms


def _fold(
    accounts: Accounts, slots: NDArray[np.int64], offset: int, part: Payments, admission: Admission, watermark_ms: int
) -> Folded:
    key_hash, content = identity(part.columns)
    return fold(
        accounts.records,
        slots,
        np.arange(offset, offset + len(part)),
        part.columns,
        reason=admission.reason,
        base_amount=admission.base_amount,
        country=admission.country,
        key_hash=key_hash,
        digest=content,
        idle_ttl_ms=IDLE_TTL_MS,
        watermark_ms=watermark_ms,
    )
