"""Windows and forest for the Python peers that batch or count microseconds: numba over a record of bytes an account.

They are lent our own compiled pieces (`monitor/state/tiles.py`, `monitor/scoring/forest.py`), which flatters them: their experts would
have to write these first. The record is that of the Java peer.
"""

from pathlib import Path

import numba as nb
import numpy as np
from numpy.typing import NDArray

from monitor.scoring.forest import Forest
from monitor.state.layout import DAY, HOUR, WEEK
from monitor.state.tiles import add, largest, raise_largest, read

FAMILIES = (HOUR, DAY, WEEK)
ACCOUNT = np.dtype(
    [
        ("heads", "<i8", (3,)),
        ("last_event_time", "<i8"),
        ("events", "<i8"),
        ("sums", "<i8", (64,)),
        ("counts", "<u4", (64,)),
        ("maxima", "<f4", (64,)),
    ]
)
FEATURES = 16
COUNT, SUM, MEAN, MAX = 4, 7, 10, 13

_FAMILIES = np.array([[each.offset, each.size_ms, each.count] for each in FAMILIES])


def _fresh() -> NDArray[np.void]:
    record = np.zeros(1, ACCOUNT)
    record["last_event_time"] = np.iinfo(np.int64).min
    return record


FRESH = _fresh()


@nb.njit(cache=True, nogil=True)
def meet(accounts, slots, times, amounts, credit, rows):  # type: ignore[no-untyped-def]
    """Each event, in order, meets its account: row i (float32) is its features, strictly from the past; then it is folded in."""
    for i in range(slots.shape[0]):
        account, t, amount, row = accounts[slots[i]], times[i], amounts[i], rows[i]
        late = t < account.last_event_time
        row[0], row[1], row[2] = amount, credit[i], account.events
        row[3] = -1.0 if account.events == 0 else 0.0 if late else np.float64(t - account.last_event_time) / 1000.0
        for f in range(3):
            at, size, length = _FAMILIES[f]
            head = account.heads[f]
            count, total = read(account.counts, account.sums, at, size, length, head, t, late)
            row[COUNT + f], row[SUM + f] = np.float64(count), np.float64(total)
            row[MEAN + f] = np.float64(total) / np.float64(count) if count > 0 else 0.0
            row[MAX + f] = largest(account.maxima, at, size, length, head, t, late)
            if not credit[i]:
                raise_largest(account.maxima, at, size, length, head, t, amount)
                account.heads[f] = add(account.counts, account.sums, at, size, length, head, t, amount)
        account.last_event_time = max(account.last_event_time, t)
        account.events += 1


class Kernel:
    """Both, over the job's files; made (and compiled) before the first record is taken."""

    def __init__(self, job: Path) -> None:
        with np.load(job / "forest.npz", allow_pickle=False) as arrays:
            self._forest = Forest.from_arrays(dict(arrays), FEATURES)
        self.scores(FRESH.copy(), [0], [0], [0], [False])

    def rows(
        self, accounts: NDArray[np.void], slots: list[int], times: list[int], amounts: list[int], credit: list[bool]
    ) -> NDArray[np.float32]:
        """Features of events in order, float32[n, FEATURES]; `accounts` ACCOUNT[m] is changed in place, `slots` says whose each is."""
        rows = np.zeros((len(slots), FEATURES), np.float32)
        meet(accounts, np.array(slots), np.array(times), np.array(amounts), np.array(credit), rows)
        return rows

    def score(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Of such rows, float64[n]."""
        return self._forest.score(rows)

    def scores(
        self, accounts: NDArray[np.void], slots: list[int], times: list[int], amounts: list[int], credit: list[bool]
    ) -> NDArray[np.float64]:
        """Of events in order, float64[n]."""
        return self.score(self.rows(accounts, slots, times, amounts, credit))
