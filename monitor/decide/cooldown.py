"""The cool-down: a burst on one account is one alert to look at, and a count.

An alert of an account that is sent begins its cool-down. Until `cooldown_ms` later, by the payments' own time, further reviews of that account are
withheld and counted; the first payment of the account after that tells the count, by its own alert if it has one, else by a message of its own. A block is
never withheld, since it acts on a payment: it is sent, and marked as part of the burst. Payments that are late by more than a cool-down have one of their own, so that
a backlog is no flood either.

The state is three fields of the account record, so it commits with the run. It is worked on after the run was folded: where the account began anew in
the middle of the run, so does the cool-down, at that very payment, however the stream was cut into runs.
"""

import numpy as np
from numpy.typing import NDArray

from monitor.decide.policy import APPROVE, BLOCK
from monitor.jit import kernel, piece
from monitor.state.dispositions import Disposition, Flag, Held

_SCORED, _FIRST = int(Disposition.SCORED), int(Flag.FIRST)
_SENT, _COOLING, _SUMMARY = int(Held.SENT), int(Held.COOLING), int(Held.SUMMARY)
_APPROVE, _BLOCK, _SECOND_MS = APPROVE, BLOCK, 1000


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
    if outcomes[i] == _BLOCK:
        in_burst[i] = True
    else:
        held[i] = _COOLING
        account.withheld += np.uint32(1)


@piece
def _late(account, times, outcomes, held, cooldown_ms, in_burst, i):  # type: ignore[no-untyped-def]
    """An alert on a payment from before the account's cool-down."""
    since = times[i] - np.int64(account.late_alerted_at) * _SECOND_MS
    if account.late_alerted_at != 0 and -cooldown_ms < since < cooldown_ms:
        _within(account, outcomes, held, in_burst, i)
    elif cooldown_ms > 0:
        account.late_alerted_at = np.uint32(times[i] // _SECOND_MS)


@piece
def _after(account, t, alerting, cooldown_ms):  # type: ignore[no-untyped-def]
    """No cool-down lasts: an alert begins one, and either way what was withheld is told. How many that were."""
    told, account.withheld = account.withheld, 0
    if alerting and cooldown_ms > 0:
        account.alerted_at = t
    else:
        account.alerted_at, account.late_alerted_at = 0, 0
    return told


@kernel
def _run(records, slots, times, dispositions, flags, outcomes, held, cooldown_ms, told, in_burst):  # type: ignore[no-untyped-def]
    for i in range(slots.shape[0]):
        if dispositions[i] != _SCORED:
            continue
        account = records[slots[i]]
        if flags[i] & _FIRST:
            account.alerted_at, account.late_alerted_at, account.withheld = 0, 0, 0
        alerting = outcomes[i] != _APPROVE
        if held[i] != 0 or not (alerting or account.withheld != 0):
            continue
        since = times[i] - account.alerted_at
        began = account.alerted_at != 0
        if began and -cooldown_ms < since < cooldown_ms:
            if alerting:
                _within(account, outcomes, held, in_burst, i)
        elif began and since < 0:
            if alerting:
                _late(account, times, outcomes, held, cooldown_ms, in_burst, i)
        else:
            told[i] = _after(account, times[i], alerting, cooldown_ms)
            held[i] = _SENT if alerting else _SUMMARY
