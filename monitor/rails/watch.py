"""How each payment rail does, as one worker sees it: told of committed runs, asked which rails the next run finds walled off.

Pure; the clock is passed in, as seconds of the worker's monotonic clock. A rail is a transaction's channel; what could not be decoded is of the rail
`unknown`, which has no payments that anything could be done with: its state is for people to see. Each worker judges by the partitions it has.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.rails.breaker import Standing, State, stands_next
from monitor.rails.limits import RAILS, UNKNOWN, RailLimits
from monitor.rails.reject_streak import RejectStreaks
from monitor.rails.walled import NONE_WALLED, Walled
from monitor.rails.window import RailWindow, Traffic
from monitor.wire.columns import Columns
from monitor.wire.records import Run

BY_HAND = {"walled": State.WALLED, "open": State.OPEN}
"""What a person may say of a rail."""

JUDGE_EVERY_S = 0.1
"""At most so often runs bring the standings up to date: that costs as much as counting thousands of records."""


class Change(NamedTuple):
    """A rail stands otherwise than before."""

    rail: str
    before: State
    after: State
    why: str


@dataclass(frozen=True, slots=True)
class RailReport:
    """One rail, for the pages. `silence_s`: since its last record, None before the first since a rebalance; `admitted` and `rejected` since the start; `seen` over the window."""

    rail: str
    standing: Standing
    by_hand: bool
    seen: Traffic
    silence_s: float | None
    admitted: int
    rejected: int

    def as_json(self, now_s: float, now_ms: int) -> dict[str, Any]:
        """As /rails and /ready have it. `since_ms`: since the epoch, None for a rail that always stood so."""
        since_s = self.standing.since_s
        return {
            "rail": self.rail,
            "state": self.standing.state.value,
            "why": self.standing.why,
            "since_ms": round(now_ms - (now_s - since_s) * 1000) if since_s else None,
            "by_hand": self.by_hand,
            "records": self.seen.records,
            "reject_share": self.seen.reject_share,
            "lag_s": self.seen.lag_s,
            "silence_s": self.silence_s,
        }


class RailWatch:
    """The rails of one worker. All methods are called on the event loop."""

    def __init__(self, limits: RailLimits | None = None) -> None:
        self.limits = limits or RailLimits()
        self.walled: Walled = NONE_WALLED
        self._window = RailWindow(self.limits.window_s, self.limits.lag_s)
        self._streaks = RejectStreaks(self.limits)
        self._automatic = [Standing()] * len(RAILS)
        self._standings = list(self._automatic)
        self._by_hand: Mapping[str, str] = {}
        self._last_s: list[float | None] = [None] * len(RAILS)
        self._flowed = [False] * len(RAILS)
        self._changes: list[Change] = []
        self._judged_s = -math.inf
        self._partitions: frozenset[int] = frozenset()

    def record(self, run: Run, columns: Columns, reasons: NDArray[np.uint8], now_s: float) -> None:
        """A committed run of n records: `reasons` uint8[n], 0 where admitted. Raises `OnlyRejectsError`."""
        rails, any_admitted = self._window.add(columns, reasons, run.records.timestamps, now_s)
        for rail in rails:
            self._last_s[rail] = now_s
        if not self._judged_s <= now_s < self._judged_s + JUDGE_EVERY_S:
            self.judge(now_s)
        self._streaks.record(run, reasons, any_admitted, now_s)

    def rebalanced(self, partitions: Iterable[int]) -> None:
        """These are our partitions now. If they are others, all but the standings and the counts since the start begins anew: a rail's accounts may be elsewhere."""
        ours = frozenset(partitions)
        if ours != self._partitions:
            self._partitions = ours
            self._flowed = [False] * len(RAILS)
            self._last_s = [None] * len(RAILS)
            self._window.clear()
            self._streaks.forget()

    def judge(self, now_s: float, by_hand: Mapping[str, str] | None = None) -> None:
        """Let time pass: bring the standing of each rail, and `walled`, up to date.

        `by_hand`: what people say of rails, whole, `walled` or `open` by name; the others are judged by what they do. None: what was said last.
        """
        self._judged_s = now_s
        self._by_hand = self._by_hand if by_hand is None else by_hand
        traffic = self._window.traffic(now_s)
        on_time = {rail for rail, seen in enumerate(traffic) if seen.is_on_time(self.limits.least_records)}
        for rail, seen in enumerate(traffic):
            self._flowed[rail] |= rail != UNKNOWN and seen.records >= self.limits.least_records
            silence_s = self._silence_s(rail, now_s) if self._flowed[rail] else None
            self._automatic[rail] = stands_next(
                self._automatic[rail], seen, silence_s, self.limits, now_s, others_on_time=bool(on_time - {rail})
            )
            self._settle(rail, now_s)
        channels = frozenset(rail for rail in range(UNKNOWN) if self._standings[rail].is_walled)
        if channels != self.walled.channels:
            self.walled = Walled(channels, self.limits.outcome)

    def take_changes(self) -> list[Change]:
        """What changed since this was asked last, in order."""
        changes, self._changes = self._changes, []
        return changes

    def reports(self, now_s: float) -> list[RailReport]:
        """Each of `RAILS`."""
        traffic, ever = self._window.traffic(now_s), self._window.ever()
        return [
            RailReport(
                name,
                self._standings[rail],
                self._by_hand.get(name) in BY_HAND,
                traffic[rail],
                self._silence_s(rail, now_s),
                *ever[rail],
            )
            for rail, name in enumerate(RAILS)
        ]

    def _settle(self, rail: int, now_s: float) -> None:
        """A person's word goes over what the rail does."""
        before, after = self._standings[rail], self._automatic[rail]
        said = BY_HAND.get(self._by_hand.get(RAILS[rail], ""))
        if said is not None:
            why = f"said by a person to be {said.value}"
            after = before if (before.state, before.why) == (said, why) else Standing(said, now_s, why)
        if after is not before:
            self._standings[rail] = after
            self._changes.append(Change(RAILS[rail], before.state, after.state, after.why))

    def _silence_s(self, rail: int, now_s: float) -> float | None:
        last_s = self._last_s[rail]
        return None if last_s is None else max(now_s - last_s, 0.0)
