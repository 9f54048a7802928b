"""What stands in the changelog, read as the layout of today: older versions are migrated, newer ones refused."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.errors import LayoutError
from monitor.state.layout import ACCOUNT, FRESH, HEADER_BYTES, VERSION

VERSION_BYTES = 2

MIGRATIONS: dict[int, Callable[[bytes], bytes]] = {}
"""By version: from a record's bytes (without the header) in that version to its bytes in the next. Version 1 is the first."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A layout of account records as a program knows it: `fresh` is `record`[1], `migrations` as in `MIGRATIONS`."""

    version: int
    record: np.dtype[np.void]
    fresh: NDArray[np.void]
    migrations: Mapping[int, Callable[[bytes], bytes]]

    @property
    def header(self) -> bytes:
        """In front of every value written: HEADER_BYTES."""
        return self.version.to_bytes(VERSION_BYTES, "little").ljust(HEADER_BYTES, b"\0")

    @property
    def value_bytes(self) -> int:
        """Of a changelog value."""
        return HEADER_BYTES + self.record.itemsize


CURRENT = Layout(VERSION, ACCOUNT, FRESH, MIGRATIONS)
"""What this program reads and writes."""

HEADER = CURRENT.header


def record_bytes(key: bytes, value: bytes, layout: Layout = CURRENT) -> bytes:
    """The account record in a changelog `value` as bytes of `layout.record`, migrated forward where it is older.

    Raises `LayoutError` for a newer version, for one without a way forward, and for bytes that no version wrote.
    """
    newest = layout.version
    version, padding = int.from_bytes(value[:VERSION_BYTES], "little"), value[VERSION_BYTES:HEADER_BYTES]
    if padding != bytes(HEADER_BYTES - VERSION_BYTES):
        raise LayoutError(
            f"changelog record of {key!r}: the header is {value[:HEADER_BYTES].hex() or 'missing'}, which no version writes; "
            "check that app_id names this installation's own changelog topic"
        )
    if version > newest:
        raise LayoutError(
            f"changelog record of {key!r}: layout version {version} is newer than {newest}, the newest this program reads; "
            "run the version of the program that wrote it, or a newer one"
        )
    record = value[HEADER_BYTES:]
    for step in range(version, newest):
        if step not in layout.migrations:
            raise LayoutError(
                f"changelog record of {key!r}: layout version {version} has no migration to {newest}; "
                "run a version of the program that reads it first, or rebuild the state from the transactions"
            )
        record = layout.migrations[step](record)
    if len(record) != layout.record.itemsize:
        raise LayoutError(
            f"changelog record of {key!r}: {len(record)} bytes, but layout version {newest} has {layout.record.itemsize}; "
            "the record is cut or another program's: check the changelog topic's name"
        )
    return record
