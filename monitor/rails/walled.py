"""Rails that are walled off, as a run is decided with them: their payments get one outcome, the other rails do not feel it."""

from dataclasses import dataclass

from monitor.decide.policy import OUTCOMES, REVIEW
from monitor.wire.columns import CHANNELS


@dataclass(frozen=True, slots=True)
class Walled:
    """`channels`: places in `CHANNELS`; `outcome`: what their payments get, a place in `OUTCOMES`."""

    channels: frozenset[int] = frozenset()
    outcome: int = REVIEW

    @property
    def name(self) -> str:
        """As audit blocks have it, such as `card,wallet=review`; "" while none is."""
        if not self.channels:
            return ""
        return f"{','.join(CHANNELS[each] for each in sorted(self.channels))}={OUTCOMES[self.outcome]}"

    @classmethod
    def named(cls, name: str) -> "Walled":
        """Those of `name`. Raises `ValueError` for a channel or an outcome that there is not."""
        if not name:
            return NONE_WALLED
        channels, _, outcome = name.partition("=")
        return cls(frozenset(CHANNELS.index(each) for each in channels.split(",")), OUTCOMES.index(outcome))


NONE_WALLED = Walled()
