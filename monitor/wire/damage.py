"""What is said of a log whose bytes are not what was written."""

from monitor.errors import DamagedLogError


def damaged_log(where: str, offset: int, why: str) -> DamagedLogError:
    """`where` is TOPIC[PARTITION], `offset` that of the batch."""
    return DamagedLogError(
        f"{where}: the batch at offset {offset} is damaged on the broker's disk ({why}): "
        "restore it from another replica, see docs/exit-codes.md"
    )
