"""What people have decided by hand, made ready for runs: overrides that replace an outcome, and suppressions that withhold an alert."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.controls.controls import NO_CONTROLS, Controls, Override, Suppression
from monitor.decide.policy import Level
from monitor.wire.columns import ACCOUNT_ID, EVENT_TIME, Columns

NONE = -1


HashOf = Callable[[str], int]
"""The keyed hash of a text, uint64, as `Columns.hashes` has it."""


class Ground(NamedTuple):
    """One of the things that ask for an alert: a rule that holds, or the model."""

    rule_id: str
    reason_code: str
    level: Level


class ByHand:
    """`Controls` for runs whose texts are hashed by `hash_of`. While there are none it costs nothing."""

    def __init__(self, controls: Controls = NO_CONTROLS, hash_of: HashOf = lambda _text: 0) -> None:
        self.controls = controls
        hashes = np.array([hash_of(each.account_id) for each in controls.overrides], np.uint64)
        self._order = np.argsort(hashes, kind="stable")
        self._hashes = hashes[self._order]
        self._from = np.array([each.from_ms for each in controls.overrides], np.int64)[self._order]
        self._until = np.array([each.until_ms for each in controls.overrides], np.int64)[self._order]
        self._begins = np.array([each.from_ms for each in controls.suppressions], np.int64)
        self._ends = np.array([each.until_ms for each in controls.suppressions], np.int64)

    def overridden(self, columns: Columns, scored: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Which override each of `n` records falls under, int64[n]: a place in `controls.overrides`, NONE for none. Those not `scored` fall under none."""
        found = np.full(len(columns), NONE, np.int64)
        if not self._hashes.size:
            return found
        accounts, times = columns.hashes[ACCOUNT_ID], columns.longs[EVENT_TIME]
        first = np.searchsorted(self._hashes, accounts, "left")
        many = np.searchsorted(self._hashes, accounts, "right") - first
        for row in np.flatnonzero(scored & (many > 0)).tolist():
            for place in range(int(first[row]), int(first[row] + many[row])):
                if self._from[place] <= times[row] < self._until[place]:
                    found[row] = self._order[place]
        return found

    def outcomes(self, overridden: NDArray[np.int64], outcomes: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """`outcomes` uint8[n], but where a record is `overridden`: there what the override says."""
        rows = np.flatnonzero(overridden != NONE)
        if not rows.size:
            return outcomes
        said, changed = np.array([each.outcome for each in self.controls.overrides], np.uint8), outcomes.copy()
        changed[rows] = said[overridden[rows]]
        return changed

    def override(self, place: int) -> Override:
        """The override that `overridden` names."""
        return self.controls.overrides[place]

    def in_force(self, first_ms: int, last_ms: int) -> "Suppressions":
        """The suppressions that may be in force for payments of these times, both inclusive."""
        chosen = np.flatnonzero((self._begins <= last_ms) & (self._ends > first_ms)).tolist()
        return Suppressions(self.controls.suppressions[place] for place in chosen)


class Suppressions:
    """Some suppressions, found by account: those of a stretch of time."""

    def __init__(self, suppressions: Iterable[Suppression]) -> None:
        self._by_account: dict[str | None, list[Suppression]] = {}
        for each in suppressions:
            self._by_account.setdefault(each.account_id, []).append(each)

    def __len__(self) -> int:
        return sum(map(len, self._by_account.values()))

    def covering(self, account_id: str, event_time_ms: int, grounds: Sequence[Ground]) -> tuple[str, ...]:
        """The ids of the suppressions that together cover each of the grounds of an alert; () when one of them is left, or there is none."""
        near = [
            each
            for each in (*self._by_account.get(account_id, ()), *self._by_account.get(None, ()))
            if each.from_ms <= event_time_ms < each.until_ms
        ]
        found = [next(_covering(near, ground), None) for ground in grounds] if near else [None]
        ids = [each for each in found if each is not None]
        return tuple(dict.fromkeys(ids)) if len(ids) == len(found) else ()


def _covering(suppressions: Iterable[Suppression], ground: Ground) -> Iterator[str]:
    """Those that cover one ground. A final block is covered by none, a block by those that say so."""
    if ground.level == Level.FINAL_BLOCK:
        return
    for each in suppressions:
        fits = each.rule_id in (None, ground.rule_id) and each.reason_code in (None, ground.reason_code)
        if fits and (each.blocks or ground.level != Level.BLOCK):
            yield each.control_id


NOTHING_BY_HAND = ByHand()
