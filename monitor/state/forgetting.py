"""Which accounts are forgotten: a rule of the sequence of records alone, so that nobody can see when memory is freed.

An account is forgotten at watermark W (the partition's greatest event time of scored records) when it has no folded event newer
than W - 2 * idle_ttl. A record meets a forgotten account as if it had never been; `kernels.fold` says so for records in memory,
`Accounts.sweep` frees the memory some time later, and whoever compares states leaves forgotten accounts out.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from monitor.errors import LayoutError
from monitor.state.layout import FORGOTTEN_TTLS
from monitor.state.migrations import record_bytes, records_of


def forgotten(records: NDArray[np.void], watermark_ms: int, idle_ttl_ms: int) -> NDArray[np.bool_]:
    """Which of `n` account records (ACCOUNT[n]) are forgotten at the watermark, bool[n].

    One without a folded event always is: it holds nothing that an account never seen would not.
    """
    old = records["last_event_time"] < watermark_ms - FORGOTTEN_TTLS * idle_ttl_ms
    return np.asarray(old | (records["events"] == 0))


def remembered(values: Mapping[bytes, bytes], watermark_ms: int, idle_ttl_ms: int) -> dict[bytes, bytes]:
    """Of changelog values by account id, those that are not forgotten at the watermark.

    A value that cannot be read is kept: it is for whoever compares it to say so.
    """
    readable = dict(values)
    try:
        records = records_of(list(readable), list(readable.values()))
    except LayoutError:
        readable = {key: value for key, value in values.items() if _is_readable(key, value)}
        records = records_of(list(readable), list(readable.values()))
    gone = forgotten(records, watermark_ms, idle_ttl_ms)
    lost = {key for key, each in zip(readable, gone.tolist(), strict=True) if each}
    return {key: value for key, value in values.items() if key not in lost}


def _is_readable(key: bytes, value: bytes) -> bool:
    try:
        record_bytes(key, value)
    except LayoutError:
        return False
    return True
