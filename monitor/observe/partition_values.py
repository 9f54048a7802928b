"""The gauges of one partition."""

from typing import TypedDict


class PartitionValues(TypedDict, total=False):
    """The gauges of a partition, by the names `Metrics.set_partition` takes."""

    watermark: float
    audited_offset: int
    audit_height: int
    last_commit: float
    accounts: int
    lag: int
    unstable: int
    queue: int
    recovery: float
    recovered_accounts: int
