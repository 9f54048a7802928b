"""The cool-down: a burst on one account is one alert to look at, and a count.

An alert of an account that is sent begins its cool-down. Until `cooldown_ms` later, by the payments' own time, further reviews of that account are
withheld and counted; the first payment of the account after that tells the count, by its own alert if it has one, else by a message of its own. A block is
never withheld, since it acts on a payment, nor is an alert graver than the one that began the cool-down: both are sent, and marked as part of the burst.

The state is three fields of the account record, so it commits with the run. It is worked on after the run was folded: where the account began anew in
the middle of the run, so does the cool-down, at that very payment, however the stream was cut into runs.
"""

import numpy as np
from numpy.typing import NDArray

from monitor.decide.policy import APPROVE, BLOCK
from monitor.jit import kernel, piece
from monitor.state.dispositions import Disposition, Flag, Held

_SCORED, _FIRST = int(Disposition.SCORED), int(Flag.FIRST)
_COOLING, _SUMMARY = int(Held.COOLING), int(Held.SUMMARY)
_APPROVE, _BLOCK = APPROVE, BLOCK


def cool_down(
    records: NDArray[np.void],
    slots: NDArray[np.int64],
    times_ms: NDArray[np.int64],
    dispositions: NDArray[np.uint8],
    flags: NDArray[np.uint16],
    outcomes: NDArray[np.uint8],
    held: NDArray[np.uint8],
    cooldown_ms: int,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Of a run of `n` records, folded into `records` (ACCOUNT[capacity], changed in place): how many alerts each one's alert or message tells of,
    int64[n], and whether it is part of a burst that was alerted already, bool[n].

    `held` uint8[n], of `Held`, says what is withheld already and by what; COOLING and SUMMARY are filled in. The other arrays are as in `Folded`; `times_ms`
    are event times. `cooldown_ms` 0: nothing is withheld, and what was before is told.
    """
    told, in_burst = np.zeros(len(slots), np.int64), np.zeros(len(slots), np.bool_)
    _run(records, slots, times_ms, dispositions, flags, outcomes, held, cooldown_ms, told, in_burst)
    return told, in_burst


@piece
def _within(account, outcomes, held, in_burst, i):  # type: ignore[no-untyped-def]
    """An alert while the account's cool-down lasts."""
    if outcomes[i] != _BLOCK and outcomes[i] <= account.alerted_outcome:
        held[i] = _COOLING
        account.withheld += np.uint32(1)
    else:
        in_burst[i] = True
        account.alerted_outcome = max(account.alerted_outcome, outcomes[i])


@kernel
def _run(records, slots, times, dispositions, flags, outcomes, held, cooldown_ms, told, in_burst):  # type: ignore[no-untyped-def]
    for i in range(slots.shape[0]):
        if dispositions[i] != _SCORED:
            continue
        account = records[slots[i]]
        if flags[i] & _FIRST:
            account.alerted_at, account.withheld, account.alerted_outcome = 0, 0, 0
        alerting = outcomes[i] != _APPROVE
        if held[i] != 0 or not (alerting or account.withheld != 0):
            continue
        since = times[i] - account.alerted_at
        began = account.alerted_at != 0
        if began and -cooldown_ms < since < cooldown_ms:
            if alerting:
                _within(account, outcomes, held, in_burst, i)
        elif alerting and began and since < 0:
            continue  # late by more than a cool-down: sent, and no beginning of another
        elif alerting:
            told[i], account.withheld = account.withheld, 0
            account.alerted_at = times[i] if cooldown_ms else 0
            account.alerted_outcome = outcomes[i] if cooldown_ms else 0
        elif since >= 0:
            told[i], account.withheld, account.alerted_at, account.alerted_outcome = account.withheld, 0, 0, 0
            held[i] = _SUMMARY
