"""What became of a record when it met its account: the disposition stands in the audit block, the flags beside it.

Numbers are never reused: decisions written long ago are read with them.
"""

from enum import IntEnum, IntFlag


class Disposition(IntEnum):
    """One a record; counts in = scored + duplicates + rejected."""

    SCORED = 0
    """New to the account: it has features, and counts in the account's past unless it came too late."""
    DUPLICATE = 1
    """The ring holds its idempotency key with the same content: an upstream retry, neither scored nor counted."""
    REJECTED = 2
    """Dead-lettered; `Folded.reason` says why."""


class Lacking(IntFlag):
    """Bits of a decision's `degraded`: what it had to do without."""

    MODEL = 1
    """No model scored it."""
    RISK = 2
    """No snapshot of labels was in force at its time, or some feature was not a number: a part of the model could not say."""
    RULES = 4
    """No rules were looked at: those that are to be served were refused, and there were none before."""
    EXPLANATIONS = 16
    """It came late, and its run went without the model's explanations. The decision itself is whole."""


class Flag(IntFlag):
    """Bits of `Folded.flags`; what is noteworthy of a record that met its account."""

    LATE = 1
    """Its event time is before the account's newest: features leave out tiles at or after its own."""
    LATE_NOT_FOLDED = 2
    """Late, and at or before `ring_floor`: scored, remembered by the ring, but not counted in the account's past."""
    CONFLICT = 4
    """The ring holds its idempotency key with other content: scored, since it is another transaction."""
    RING_SATURATED = 8
    """The ring no longer held all events of the 15 minutes before: short windows are lower bounds."""
    FIRST = 16
    """The account had no past."""
    EXPIRED = 32
    """The account had been silent for longer than the idle time to live and started anew with this event."""
