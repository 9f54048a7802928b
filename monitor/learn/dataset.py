"""Training and backtest data by replay: what payments of the past have for features (`monitor/learn/play.py`), in memory.

Models compare features as float32; that is how they are kept.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.errors import DatasetError
from monitor.features.catalogue import ACCOUNT_FEATURES, INDEX, RISK_KINDS
from monitor.guard.reasons import Reason
from monitor.learn.digest import Digest
from monitor.learn.payments import Payments
from monitor.learn.play import play
from monitor.money.exchange import ExchangeTable
from monitor.risk.entities import entities_of
from monitor.state.dispositions import Disposition
from monitor.state.key_index import KeyIndex
from monitor.wire import columns as cells

EVERY_FEATURE = tuple(feature.name for feature in ACCOUNT_FEATURES)
"""Of the account. Those of what payments touch come from labels: `monitor/learn/risk.py`."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """`n` scored payments in order of the replay; retries and rejected ones are counted and left out.

    `features` float32[n, len(names)], columns as `names` says, features of the catalogue, and behind them those that `with_risk` added; `event_time` int64[n], ms; `account` int64[n],
    equal for one account; `entities` int32[n, len(RISK_KINDS)], equal for one merchant, device, place (`monitor/risk/entities.py`), -1 for none; `amount` int64[n], base currency, minor units; `channel` uint8[n], the rail, a place in `CHANNELS`; `fraud` bool[n] and `label_time` int64[n] as in `Payments`; `scenario` uint8[n], the
    simulator's kind of fraud, 0 for none; `row` int64[n], which payment of the source it was, from 0. `rejected`: how many were, by reason
    code. `entity_names`: of each kind, the name of entity i in slot i. `digest`: hex SHA-256 of all payments that were replayed.
    """

    names: tuple[str, ...]
    features: NDArray[np.float32]
    event_time: NDArray[np.int64]
    account: NDArray[np.int64]
    entities: NDArray[np.int32]
    amount: NDArray[np.int64]
    channel: NDArray[np.uint8]
    fraud: NDArray[np.bool_]
    label_time: NDArray[np.int64]
    scenario: NDArray[np.uint8]
    row: NDArray[np.int64]
    duplicates: int
    rejected: Mapping[str, int]
    entity_names: tuple[KeyIndex, ...]
    digest: str

    def __len__(self) -> int:
        return int(self.event_time.shape[0])

    def matrix(self, names: tuple[str, ...]) -> NDArray[np.float32]:
        """The columns of these features, float32[n, len(names)], contiguous. Raises `DatasetError` for one that was not kept."""
        missing = [name for name in names if name not in self.names]
        if missing:
            raise DatasetError(
                f"features {', '.join(missing)}: not kept by this replay, which has {', '.join(self.names)}"
            )
        if names == self.names:
            return self.features
        return np.ascontiguousarray(self.features[:, [self.names.index(name) for name in names]])

    def split(self, at_ms: int) -> tuple["Dataset", "Dataset"]:
        """What happened before `at_ms`, and what happened from then on."""
        before = self.event_time < at_ms
        count = int(before.sum())
        if before[:count].all():  # in order, as nearly always: views, not copies
            return self.rows(slice(count)), self.rows(slice(count, None))
        return self.rows(before), self.rows(~before)

    def rows(self, chosen: NDArray[np.bool_] | NDArray[np.int64] | slice) -> "Dataset":
        """The chosen rows, by mask, index or slice."""
        return replace(self, **{name: getattr(self, name)[chosen] for name in _A_ROW})


_A_ROW = (
    "features",
    "event_time",
    "account",
    "entities",
    "amount",
    "channel",
    "fraud",
    "label_time",
    "scenario",
    "row",
)


def replay(
    slices: Iterable[Payments],
    exchange: ExchangeTable,
    names: tuple[str, ...] = EVERY_FEATURE,
    on_progress: Callable[[int], None] = lambda _rows: None,
) -> Dataset:
    """Replay the slices in order and keep the features `names`; `on_progress` hears how many payments each slice had.

    Memory: 4 bytes a feature and 54 more a row, an eighth beyond while it grows, and 2.5 KB an account. Raises `DatasetError`
    when none of them can be scored.
    """
    digest, columns = Digest(), [INDEX[name] for name in names]
    kept, indexes = _Kept(len(names)), [KeyIndex() for _ in RISK_KINDS]
    rejected: Counter[int] = Counter()
    duplicates = 0
    for part, offset, admission, slots, folded, scored in play(slices, exchange):
        digest.update(part)
        duplicates += int((folded.disposition == int(Disposition.DUPLICATE)).sum())
        rejected.update(folded.reason[folded.reason != 0].tolist())
        rows = {"account": slots, "entities": _entities(part, indexes), "amount": admission.base_amount}
        kept.add(folded.features[:, columns][scored], part, scored, rows, offset)
        on_progress(len(part))
    if not kept.rows:
        why = (
            ", ".join(f"{count} {Reason(reason).code}" for reason, count in rejected.most_common()) or "there are none"
        )
        raise DatasetError(f"transactions: none that can be scored ({why}); see docs/dlq.md for what each reason means")
    by_code = {Reason(reason).code: count for reason, count in sorted(rejected.items())}
    return kept.dataset(names, duplicates, by_code, tuple(indexes), digest.hexdigest())


def _entities(part: Payments, indexes: list[KeyIndex]) -> NDArray[np.int64]:
    """int64[n, len(RISK_KINDS)]: small numbers for names, in order of appearance."""
    return np.stack([index.slots(entities_of(part.columns, kind))[0] for kind, index in enumerate(indexes)], axis=1)


class _Kept:
    """The rows so far, in arrays that grow in place: the kernel moves their pages, where a longer copy would need both at once."""

    def __init__(self, features: int) -> None:
        kinds = {"fraud": np.bool_, "scenario": np.uint8, "channel": np.uint8}
        self._arrays: dict[str, NDArray[Any]] = {name: np.empty(0, kinds.get(name, np.int64)) for name in _A_ROW}
        self._arrays["features"] = np.empty((0, features), np.float32)
        self._arrays["entities"] = np.empty((0, len(RISK_KINDS)), np.int32)
        self.rows = 0

    def add(
        self,
        features: NDArray[np.float64],
        part: Payments,
        scored: NDArray[np.int64],
        rows: Mapping[str, NDArray[Any]],
        offset: int,
    ) -> None:
        """The payments `scored` of `part`, whose first is number `offset`; `features` float64[scored, k], `rows`: further columns of the part."""
        end = self.rows + scored.size
        if end > len(self._arrays["row"]):
            self._resize(end + end // 8)
        columns = {
            **rows,
            "event_time": part.event_time,
            "channel": part.columns.longs[cells.CHANNEL],
            "fraud": part.fraud,
            "label_time": part.label_time,
            "scenario": part.scenario,
        }
        for name, column in columns.items():
            self._arrays[name][self.rows : end] = column[scored]
        with np.errstate(over="ignore"):  # beyond float32 is infinite, and compares as it should
            self._arrays["features"][self.rows : end] = features
        self._arrays["row"][self.rows : end] = offset + scored
        self.rows = end

    def dataset(
        self,
        names: tuple[str, ...],
        duplicates: int,
        rejected: Mapping[str, int],
        entity_names: tuple[KeyIndex, ...],
        digest: str,
    ) -> Dataset:
        """All rows; nothing can be added any more."""
        self._resize(self.rows)
        return Dataset(
            names=names,
            duplicates=duplicates,
            rejected=rejected,
            entity_names=entity_names,
            digest=digest,
            **self._arrays,
        )

    def _resize(self, rows: int) -> None:
        for array in self._arrays.values():
            array.resize((rows, *array.shape[1:]), refcheck=False)
