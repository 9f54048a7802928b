"""The breaker of one rail: from how it stands and what came over it to how it stands next. Pure; the walls themselves are `Walled`.

It closes a rail at a limit and opens it again below half of it, when that has held for `retry_s`: what is between the two changes nothing. A walled rail's
payments are still decoded and admitted, so that there is no need to try with a few whether it is well again: it is seen.
"""

from dataclasses import dataclass
from enum import StrEnum

from monitor.rails.limits import RailLimits
from monitor.rails.window import Traffic


class State(StrEnum):
    """How a rail stands."""

    HEALTHY = "healthy"
    WALLED = "walled"
    RECOVERING = "recovering"
    """Below half the limits, and walled off until that has held."""
    DARK = "dark"
    """It had been flowing, and nothing comes any more: there is nothing to wall off, but somebody should know."""
    OPEN = "open"
    """A person keeps it open, whatever it does."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A rail's state, since when (seconds of the monotonic clock) and why, in words; "" for `HEALTHY`."""

    state: State = State.HEALTHY
    since_s: float = 0.0
    why: str = ""

    @property
    def is_walled(self) -> bool:
        """Whether payments of the rail get the policy outcome."""
        return self.state in (State.WALLED, State.RECOVERING)


def stands_next(
    before: Standing,
    seen: Traffic,
    silence_s: float | None,
    limits: RailLimits,
    now_s: float,
    others_on_time: bool = True,
) -> Standing:
    """The standing at `now_s`, the same object where nothing changed. `silence_s`: since the last record, None for a rail that never flowed.

    `others_on_time`: whether any other rail is. Where none is, history is being sent again or upstream was away as a whole: lag says nothing of one rail then.
    """
    if not others_on_time:
        seen = seen._replace(late=0, half_late=0)
    if before.is_walled:
        return _next_behind_its_wall(before, seen, limits, now_s)
    wrong = misbehaves(seen, limits)
    if wrong is not None:
        return Standing(State.WALLED, now_s, wrong)
    is_dark = silence_s is not None and silence_s >= limits.silence_s
    if is_dark == (before.state is State.DARK):
        return before
    why = f"it had been flowing, and no record came for {limits.silence_s:g} s" if is_dark else ""
    return Standing(State.DARK if is_dark else State.HEALTHY, now_s, why)


def _next_behind_its_wall(before: Standing, seen: Traffic, limits: RailLimits, now_s: float) -> Standing:
    calm = _is_calm(seen, limits)
    if before.state is State.WALLED:
        why = f"below half the limits; opens again when that has held for {limits.retry_s:g} s"
        return Standing(State.RECOVERING, now_s, why) if calm else before
    if calm:
        return Standing(State.HEALTHY, now_s) if now_s - before.since_s >= limits.retry_s else before
    why = misbehaves(seen, limits) or "above half the limits again before it had recovered"
    return Standing(State.WALLED, now_s, why)


def misbehaves(seen: Traffic, limits: RailLimits) -> str | None:
    """Why a rail is to be walled off, in words; None while it is not."""
    if seen.records >= limits.least_records and seen.rejected >= limits.reject_share * seen.records:
        return f"{seen.rejected:,} of {seen.records:,} records in {limits.window_s:g} s were rejected; rail_reject_share is {limits.reject_share:g}"
    if seen.timed >= limits.least_records and 2 * seen.late >= seen.timed:
        return f"{seen.late:,} of {seen.timed:,} payments in {limits.window_s:g} s came {limits.lag_s:g} s or more after their event_time (rail_lag_s)"
    return None


def _is_calm(seen: Traffic, limits: RailLimits) -> bool:
    """Below half the limits. Few records count as `least_records` that are mostly good: silence keeps no wall up, a handful of rejects neither."""
    records, timed = max(seen.records, limits.least_records), max(seen.timed, limits.least_records)
    return seen.rejected < limits.reject_share / 2 * records and 2 * seen.half_late < timed
