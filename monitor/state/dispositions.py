"""What became of a record when it met its account: the disposition stands in the audit block, the flags beside it.

Numbers are never reused: decisions written long ago are read with them.
"""

from enum import IntEnum, IntFlag

import numpy as np
from numpy.typing import NDArray


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
    RAIL = 8
    """Its rail is walled off: the outcome is the rail's, whatever model and rules say, unless a person or a final block decided."""
    EXPLANATIONS = 16
    """It came late, and its run went without the model's explanations. The decision itself is whole."""


class Held(IntEnum):
    """What became of a decision's alert: the `suppression` of the audit block. The outcome stands whatever this says.

    Where it is SUPPRESSED, RAIL or COOLING the alert is written to the topic of withheld alerts instead, with what withheld it.
    """

    SENT = 0
    """It was sent, or none was due."""
    WARM_UP = 1
    """Before the offset from which this installation alerts: state is built, and nothing is told."""
    SUPPRESSED = 2
    """All that asked for it is suppressed by a person."""
    RAIL = 3
    """Its rail is walled off: one dark rail does not flood those who look at alerts."""
    COOLING = 4
    """Its account was alerted a moment ago: counted, and told by the first payment after the cool-down."""
    SUMMARY = 5
    """Approved, and a message was sent nevertheless: how many alerts of the account the cool-down withheld."""


WITHHELD = (Held.SUPPRESSED, Held.RAIL, Held.COOLING)
"""Whose alerts stand in the topic of withheld alerts."""


def is_alerted(outcomes: NDArray[np.uint8], held: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether a message in the topic of alerts is due for each of `n` decisions, bool[n]; `held` uint8[n], of `Held`."""
    due: NDArray[np.bool_] = ((outcomes != 0) & (held == int(Held.SENT))) | (held == int(Held.SUMMARY))
    return due


def is_withheld(held: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether a message in the topic of withheld alerts is due for each of `n` decisions, bool[n]."""
    return np.isin(held, [int(each) for each in WITHHELD])


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
