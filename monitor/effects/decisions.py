"""Decisions as the audit log keeps them: one fixed-size entry a record, and the record's transaction id behind it as a leaf."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.effects.merkle import EMPTY_ROOT
from monitor.effects.tree import root_of
from monitor.jit import kernel
from monitor.state.dispositions import Disposition
from monitor.wire.columns import TRANSACTION_ID, Columns

DECISION = np.dtype(
    [
        ("offset", "<i8"),  # of the source record
        ("score", "<f8"),  # anomaly score, NaN when not scored
        ("disposition", "u1"),  # monitor.state.dispositions.Disposition
        ("outcome", "u1"),  # 0 approve, 1 review, 2 block
        ("reason", "u1"),  # monitor.guard.reasons.Reason
        ("degraded", "u1"),  # bits: what was not working, 0 for nothing
        ("suppression", "u1"),  # monitor.state.dispositions.Held: what became of the alert
        ("flags", "u1"),  # the low 8 bits of monitor.state.dispositions.Flag
        ("id_length", "<u2"),  # bytes of the transaction id, 0 where none could be read
    ]
)
"""24 bytes, packed, little-endian; to kernels three words: offset, score, and the small fields with `id_length` on top. Fields keep their place: another layout takes another format of the block."""

assert DECISION.itemsize == 24, f"a decision is 24 bytes, not {DECISION.itemsize}"

_NOT_SIGN, _INFINITE, _NAN = np.uint64((1 << 63) - 1), np.uint64(0x7FF << 52), np.uint64(0x7FF8 << 48)
_NOT_LENGTH = np.uint64((1 << 48) - 1)
_SCORED, _DUPLICATE, _REJECTED = int(Disposition.SCORED), int(Disposition.DUPLICATE), int(Disposition.REJECTED)

MAX_ID_BYTES = 128
"""Longest transaction id kept; a longer one is dead-lettered for it, and found by its offset."""


def decisions_of(
    offsets: NDArray[np.int64],
    scores: NDArray[np.float64],
    dispositions: NDArray[np.uint8],
    outcomes: NDArray[np.uint8],
    reasons: NDArray[np.uint8],
    flags: NDArray[np.uint16],
    degraded: NDArray[np.uint8],
    held: NDArray[np.uint8],
) -> NDArray[np.void]:
    """`DECISION`[n] of `n` records, all arrays of as many; `degraded`: bits of `Lacking`; `held`, of `Held`: what became of their alerts. Of the flags the
    low 8 bits are kept.
    """
    rows = np.empty(3 * len(offsets), np.uint64)
    _compose(
        offsets,
        scores.view(np.uint64),
        dispositions,
        outcomes,
        reasons,
        flags,
        degraded,
        held,
        rows,
    )
    return rows.view(DECISION)


@dataclass(frozen=True, slots=True)
class Ids:
    """Transaction ids as spans: `data` uint8[bytes], `starts` int64[n], `lengths` int32[n]; -1 where there is none."""

    data: NDArray[np.uint8]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int32]

    @classmethod
    def of(cls, columns: Columns) -> "Ids":
        """Those of a run; a record that could not be decoded has none."""
        lengths = columns.lengths[TRANSACTION_ID].copy()
        lengths[columns.reason != 0] = -1
        return cls(columns.data, columns.starts[TRANSACTION_ID], lengths)


class Survey(NamedTuple):
    """What decisions say together. `first` and `last` are the offsets of the first and the last of them, 0 where there is none;
    `ascending`: each offset is above the one before.
    """

    records: int
    scored: int
    duplicates: int
    dead_letters: int
    first: int
    last: int
    ascending: bool


NOTHING = Survey(0, 0, 0, 0, 0, 0, True)
"""Of no decisions."""


class Leaves(NamedTuple):
    """What is sealed of a run: its decisions' bytes, `id_length` filled in; the ids one after the other; the root over both."""

    decisions: bytes | bytearray
    texts: bytes
    root: bytes
    survey: Survey


NO_LEAVES = Leaves(b"", b"", EMPTY_ROOT, NOTHING)
"""Of a genesis block."""


def leaves(decisions: NDArray[np.void], ids: Ids) -> Leaves:
    """The leaves of a run of at least one; `decisions` stay as they are.

    An id that is not 1 to `MAX_ID_BYTES` bytes long counts as none. NaN scores get one bit pattern.
    """
    filled = bytearray(decisions.tobytes())
    rows, kept = np.frombuffer(filled, np.uint64), np.empty(len(decisions), np.int64)
    texts = np.empty(len(decisions) * MAX_ID_BYTES, np.uint8)
    total, scored, duplicates, dead_letters, first, last, ascending = _fill(
        rows, ids.data, ids.starts, ids.lengths, kept, texts
    )
    survey = Survey(len(decisions), scored, duplicates, dead_letters, first, last, ascending)
    return Leaves(filled, texts[:total].tobytes(), root_of(rows, ids.data, ids.starts, kept), survey)


def survey_of(decisions: NDArray[np.void]) -> Survey:
    """The same of decisions that somebody else wrote, without a kernel: for those who verify."""
    if not len(decisions):
        return NOTHING
    counts = np.bincount(decisions["disposition"], minlength=len(Disposition)).tolist()
    offsets = decisions["offset"]
    ascending = bool(np.all(offsets[1:] > offsets[:-1]))
    return Survey(
        len(decisions),
        counts[_SCORED],
        counts[_DUPLICATE],
        counts[_REJECTED],
        int(offsets[0]),
        int(offsets[-1]),
        ascending,
    )


def entries(decisions: NDArray[np.void], texts: NDArray[np.uint8]) -> list[bytes]:
    """Merkle entries from decisions whose `id_length`s sum to `len(texts)`, uint8: what a verifier rebuilds from a block."""
    kept = decisions["id_length"].astype(np.int64)
    ends = np.cumsum(kept + DECISION.itemsize)
    joined = np.empty(int(ends[-1]) if ends.size else 0, np.uint8)
    _interleave(np.ascontiguousarray(decisions).view(np.uint8).reshape(-1, DECISION.itemsize), texts, kept, joined)
    raw = joined.tobytes()
    return [raw[start:end] for start, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=False)]


@kernel
def _compose(  # type: ignore[no-untyped-def]
    offsets, scores, dispositions, outcomes, reasons, flags, degraded, held, rows
):
    """Fill `rows` uint64[3 * n] as `DECISION` lays them out, `id_length` 0; `scores` are bits."""
    for row in range(offsets.shape[0]):
        small = np.uint64(dispositions[row]) | np.uint64(outcomes[row]) << np.uint64(8)
        small |= np.uint64(reasons[row]) << np.uint64(16) | np.uint64(degraded[row]) << np.uint64(24)
        small |= np.uint64(held[row]) << np.uint64(32) | np.uint64(flags[row] & 0xFF) << np.uint64(40)
        rows[3 * row], rows[3 * row + 1], rows[3 * row + 2] = np.uint64(offsets[row]), scores[row], small


@kernel
def _fill(rows, data, starts, lengths, kept, texts):  # type: ignore[no-untyped-def]
    """Fill in the lengths of the ids, in `rows` uint64[3 * n] and `kept` int64[n], and `texts` with the ids; make every NaN the same.

    (Bytes of all ids, scored, duplicates, dead letters, first offset, last offset, whether offsets ascend), of at least one row.
    """
    total, scored, duplicates, dead_letters, falls = 0, 0, 0, 0, 0
    first = last = np.int64(rows[0])
    for row in range(kept.shape[0]):
        kept[row] = lengths[row] if 0 < lengths[row] <= MAX_ID_BYTES else 0
        for place in range(kept[row]):
            texts[total + place] = data[starts[row] + place]
        total += kept[row]
        score, small = rows[3 * row + 1], rows[3 * row + 2]
        if score & _NOT_SIGN > _INFINITE:
            rows[3 * row + 1] = _NAN
        rows[3 * row + 2] = (small & _NOT_LENGTH) | (np.uint64(kept[row]) << np.uint64(48))
        disposition = small & np.uint64(0xFF)
        scored += disposition == _SCORED
        duplicates += disposition == _DUPLICATE
        dead_letters += disposition == _REJECTED
        offset = np.int64(rows[3 * row])
        falls += int(row > 0 and offset <= last)
        last = offset
    return total, scored, duplicates, dead_letters, first, last, falls == 0


@kernel
def _interleave(rows, texts, lengths, out):  # type: ignore[no-untyped-def]
    """Fill `out` with row 0, the first `lengths[0]` of `texts`, row 1 and so on."""
    at, text = 0, 0
    for row in range(rows.shape[0]):
        for column in range(rows.shape[1]):
            out[at] = rows[row, column]
            at += 1
        for _ in range(lengths[row]):
            out[at] = texts[text]
            at, text = at + 1, text + 1
