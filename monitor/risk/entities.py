"""What a payment touches beside its account: its merchant, its device, and its place (country and merchant category)."""

import numpy as np

from monitor.features.catalogue import RISK_KINDS
from monitor.jit import kernel
from monitor.wire import columns as cells
from monitor.wire.columns import Columns
from monitor.wire.records import NULL, Spans

MERCHANT, DEVICE, PLACE = range(len(RISK_KINDS))

_BETWEEN = np.uint8(ord("/"))


def entities_of(columns: Columns, kind: int) -> Spans:
    """The names of `kind`'s entities in each of `n` payments; null where the payment has none. A place is `AT/5411`, both known."""
    if kind == PLACE:
        return _pairs(columns, cells.COUNTRY, cells.MERCHANT_CATEGORY)
    field = (cells.MERCHANT_ID, cells.DEVICE_ID)[kind]
    return Spans(columns.data, columns.starts[field], columns.lengths[field].astype(np.int64))


def _pairs(columns: Columns, first: int, second: int) -> Spans:
    known = (columns.lengths[first] >= 0) & (columns.lengths[second] >= 0)
    lengths = np.where(known, columns.lengths[first].astype(np.int64) + columns.lengths[second] + 1, NULL)
    ends = np.cumsum(np.maximum(lengths, 0))
    starts = ends - np.maximum(lengths, 0)
    data = np.empty(int(ends[-1]) if ends.size else 0, np.uint8)
    _write_pairs(
        columns.data,
        columns.starts[first],
        columns.lengths[first],
        columns.starts[second],
        columns.lengths[second],
        starts,
        lengths,
        data,
    )
    return Spans(data, starts, lengths)


@kernel
def _write_pairs(data, starts, sizes, other_starts, other_sizes, into_starts, into_lengths, into):  # type: ignore[no-untyped-def]
    for row in range(starts.shape[0]):
        if into_lengths[row] < 0:
            continue
        at = into_starts[row]
        for place in range(sizes[row]):
            into[at + place] = data[starts[row] + place]
        at += sizes[row]
        into[at] = _BETWEEN
        for place in range(other_sizes[row]):
            into[at + 1 + place] = data[other_starts[row] + place]
