"""The rails by name, and how much each may misbehave before it is walled off."""

from dataclasses import dataclass

from monitor.decide.policy import REVIEW
from monitor.wire.columns import CHANNELS

UNKNOWN = len(CHANNELS)
"""The rail of records whose channel could not be decoded."""

RAILS = (*CHANNELS, "unknown")
"""Names of rails; the first are the places of `CHANNELS`."""


@dataclass(frozen=True, slots=True)
class RailLimits:
    """The settings `rail_*` and `reject_stop_records`. `outcome`: a place in `OUTCOMES`; `reject_share` in (0, 1]; seconds where names end in `_s`."""

    outcome: int = REVIEW
    window_s: float = 60.0
    reject_share: float = 0.5
    least_records: int = 100
    lag_s: float = 3600.0
    retry_s: float = 60.0
    silence_s: float = 300.0
    reject_stop_records: int = 10_000
