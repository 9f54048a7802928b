"""Decisions as the audit log keeps them: one fixed-size entry a record, and the record's transaction id behind it as a leaf."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.jit import kernel
from monitor.wire.columns import TRANSACTION_ID, Columns

DECISION = np.dtype(
    [
        ("offset", "<i8"),  # of the source record
        ("score", "<f8"),  # anomaly score, NaN when not scored
        ("disposition", "u1"),  # monitor.state.dispositions.Disposition
        ("outcome", "u1"),  # 0 approve, 1 review, 2 block
        ("reason", "u1"),  # monitor.guard.reasons.Reason
        ("degraded", "u1"),  # bits: what was not working, 0 for nothing
        ("suppression", "u1"),  # why an alert was held back, 0 for not
        ("flags", "u1"),  # the low 8 bits of monitor.state.dispositions.Flag
        ("id_length", "<u2"),  # bytes of the transaction id, 0 where none could be read
    ]
)
"""24 bytes, packed, little-endian. Fields keep their place: another layout takes another format of the block."""

assert DECISION.itemsize == 24, f"a decision is 24 bytes, not {DECISION.itemsize}"

MAX_ID_BYTES = 128
"""Longest transaction id kept; a longer one is dead-lettered for it, and found by its offset."""


@dataclass(frozen=True, slots=True)
class Ids:
    """Transaction ids as spans: `data` uint8[bytes], `starts` int64[n], `lengths` int32[n]; -1 where there is none."""

    data: NDArray[np.uint8]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int32]

    @classmethod
    def of(cls, columns: Columns) -> "Ids":
        """Those of a run; a record that could not be decoded has none."""
        lengths = np.where(columns.reason == 0, columns.lengths[TRANSACTION_ID], -1).astype(np.int32)
        return cls(columns.data, columns.starts[TRANSACTION_ID], lengths)


def leaves(decisions: NDArray[np.void], ids: Ids) -> tuple[NDArray[np.void], bytes, list[bytes]]:
    """`(decisions, transaction_ids, entries)`: the decisions with `id_length` filled in, the ids one after the other, and each
    record's Merkle entry: its decision's 24 bytes and then its transaction id.

    An id that is not 1 to `MAX_ID_BYTES` bytes long counts as none. NaN scores get one bit pattern.
    """
    filled = decisions.copy()
    kept = np.where((ids.lengths > 0) & (ids.lengths <= MAX_ID_BYTES), ids.lengths, 0).astype(np.int64)
    filled["id_length"] = kept
    filled["score"][np.isnan(filled["score"])] = np.nan
    texts = np.empty(int(kept.sum()), np.uint8)
    _gather(ids.data, ids.starts, kept, texts)
    return filled, texts.tobytes(), entries(filled, texts)


def entries(decisions: NDArray[np.void], texts: NDArray[np.uint8]) -> list[bytes]:
    """Merkle entries from decisions whose `id_length`s sum to `len(texts)`, uint8: what a verifier rebuilds from a block."""
    kept = decisions["id_length"].astype(np.int64)
    ends = np.cumsum(kept + DECISION.itemsize)
    joined = np.empty(int(ends[-1]) if ends.size else 0, np.uint8)
    _interleave(np.ascontiguousarray(decisions).view(np.uint8).reshape(-1, DECISION.itemsize), texts, kept, joined)
    raw = joined.tobytes()
    return [raw[start:end] for start, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=False)]


@kernel
def _gather(data, starts, lengths, out):  # type: ignore[no-untyped-def]
    """Fill `out` with the spans of `data` one after the other."""
    at = 0
    for row in range(starts.shape[0]):
        for place in range(lengths[row]):
            out[at] = data[starts[row] + place]
            at += 1


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
