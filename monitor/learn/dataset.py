"""Training data by replay: transactions take the very way they take when serving, from bytes to features.

decode -> admit -> fold, with one partition's accounts, in order of arrival. So a feature in training is the feature in serving, bit
for bit, and is computed strictly from the past of its row.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from monitor.errors import DatasetError
from monitor.features.catalogue import CATALOGUE
from monitor.guard.dedupe import identity
from monitor.guard.validate import Limits, admit
from monitor.money.exchange import ExchangeTable
from monitor.simulate.batch import Batch
from monitor.simulate.messages import schema_text, transaction_messages
from monitor.state.accounts import Accounts
from monitor.state.dispositions import Disposition
from monitor.state.kernels import fold
from monitor.state.layout import DAY_MS
from monitor.wire.decode import compile_reader, decode
from monitor.wire.hashing import HashKey
from monitor.wire.records import Spans

SCHEMA_ID = 1
HASH_KEY = HashKey.parse("00" * 16)
"""Features hold no hash, only whether two are equal: the deployment's key does not matter to a model."""

MAX_VALUE_BYTES = 1 << 20
LIMITS = Limits(max_amount_minor=10**15, future_skew_ms=300_000)
IDLE_TTL_MS = 400 * DAY_MS


@dataclass(frozen=True, slots=True)
class Dataset:
    """`n` scored transactions in order of arrival, about 370 bytes each; duplicates and rejected ones are left out.

    `features` float64[n, len(CATALOGUE)]; `event_time` int64[n], ms; `account` int64[n], equal for one account; `scenario` uint8[n], the simulator's kind of fraud, 0 for
    genuine. `digest`: hex SHA-256 of all keys and values that were replayed.
    """

    features: NDArray[np.float64]
    event_time: NDArray[np.int64]
    account: NDArray[np.int64]
    scenario: NDArray[np.uint8]
    digest: str

    def __len__(self) -> int:
        return int(self.event_time.shape[0])

    @property
    def fraud(self) -> NDArray[np.bool_]:
        """bool[n]: the truth, which the forest never sees."""
        truth: NDArray[np.bool_] = self.scenario > 0
        return truth

    def split(self, at_ms: int) -> tuple["Dataset", "Dataset"]:
        """What happened before `at_ms`, and what happened from then on."""
        before = self.event_time < at_ms
        return self._rows(before), self._rows(~before)

    def _rows(self, chosen: NDArray[np.bool_]) -> "Dataset":
        return Dataset(
            self.features[chosen], self.event_time[chosen], self.account[chosen], self.scenario[chosen], self.digest
        )


def replay(batches: Iterable[Batch], exchange: ExchangeTable) -> Dataset:
    """Replay the batches in order. Raises `DatasetError` when none of them holds a transaction that can be scored."""
    accounts, reader = Accounts(), compile_reader(schema_text("transaction"))
    parts: list[tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]] = []
    digest = sha256()
    offset, watermark_ms = 0, 0
    for batch in batches:
        messages = transaction_messages(batch, SCHEMA_ID)
        for key, value in zip(messages.keys, messages.values, strict=True):
            digest.update(key or b"")
            digest.update(value or b"")
        columns = decode(Spans.of(messages.values), {SCHEMA_ID: reader}, HASH_KEY, MAX_VALUE_BYTES)
        keys = Spans.of(messages.keys)
        admission = admit(columns, keys, exchange, LIMITS, int(batch.arrival_time.max(initial=0)))
        key_hash, content = identity(columns)
        slots = accounts.slots(keys, admission.reason == 0)
        folded = fold(
            accounts.records,
            slots,
            np.arange(offset, offset + len(batch)),
            columns,
            reason=admission.reason,
            base_amount=admission.base_amount,
            country=admission.country,
            key_hash=key_hash,
            digest=content,
            idle_ttl_ms=IDLE_TTL_MS,
            watermark_ms=watermark_ms,
        )
        offset, watermark_ms = offset + len(batch), folded.watermark_ms
        scored = folded.disposition == Disposition.SCORED
        parts.append((folded.features[scored], batch.event_time[scored], slots[scored], batch.scenario[scored]))
    if not any(part[1].size for part in parts):
        raise DatasetError("transactions: none that can be scored; ask for more with --transactions")
    features, event_time, account, scenario = (np.concatenate(column) for column in zip(*parts, strict=True))
    assert features.shape[1] == len(CATALOGUE)
    return Dataset(features, event_time, account, scenario, digest.hexdigest())
