"""Which accounts are forgotten: a rule of the sequence of records alone, so that nobody can see when memory is freed.

An account is forgotten at watermark W (the partition's greatest event time of scored records) when it has no folded event newer
than W - 2 * idle_ttl. A record meets a forgotten account as if it had never been; `kernels.fold` says so for records in memory,
`Accounts.sweep` frees the memory some time later, and whoever compares states leaves forgotten accounts out.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from monitor.state.layout import ACCOUNT, FORGOTTEN_TTLS
from monitor.state.migrations import record_bytes


def forgotten(records: NDArray[np.void], watermark_ms: int, idle_ttl_ms: int) -> NDArray[np.bool_]:
    """Which of `n` account records (ACCOUNT[n]) are forgotten at the watermark, bool[n].

    One without a folded event always is: it holds nothing that an account never seen would not.
    """
    old = records["last_event_time"] < watermark_ms - FORGOTTEN_TTLS * idle_ttl_ms
    return np.asarray(old | (records["events"] == 0))


def remembered(values: Mapping[bytes, bytes], watermark_ms: int, idle_ttl_ms: int) -> dict[bytes, bytes]:
    """Of changelog values by account id, those that are not forgotten at the watermark. Raises `LayoutError`."""
    if not values:
        return {}
    joined = b"".join(record_bytes(key, value) for key, value in values.items())
    gone = forgotten(np.frombuffer(joined, ACCOUNT), watermark_ms, idle_ttl_ms)
    return {key: value for (key, value), lost in zip(values.items(), gone.tolist(), strict=True) if not lost}
