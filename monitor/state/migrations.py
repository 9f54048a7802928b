"""What stands in the changelog, read as the layout of today: older versions are migrated, newer ones refused."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.errors import LayoutError
from monitor.state.layout import ACCOUNT, ADDED_BY_3, FIRST_PACKED, FRESH, HEADER_BYTES, VERSION
from monitor.state.packing import UNIT, unpack

VERSION_BYTES = SIZE_BYTES = 2
WORD_BYTES = 8


def _same(record: bytes) -> bytes:
    return record


def _without_alerts(record: bytes) -> bytes:
    return record[:-_SPARE_OF_2] + bytes(_SPARE_OF_2 + ADDED_BY_3)


_SPARE_OF_2 = 3

MIGRATIONS: dict[int, Callable[[bytes], bytes]] = {1: _same, 2: _without_alerts}
"""By version: from a record's bytes (unpacked, without the header) in that version to its bytes in the next. Version 1 is the first.

Version 2 has the records of version 1, and packs them in the changelog. Version 3 adds what was alerted last, and how busy the days were: nothing, and not at all.
"""


@dataclass(frozen=True, slots=True)
class Layout:
    """A layout of account records as a program knows it: `fresh` is `record`[1], `migrations` as in `MIGRATIONS`."""

    version: int
    record: np.dtype[np.void]
    fresh: NDArray[np.void]
    migrations: Mapping[int, Callable[[bytes], bytes]]

    @property
    def header(self) -> bytes:
        """In front of every value written, HEADER_BYTES: version and size of the record in 8-byte words, both uint16, and zeros.

        By the size, values of a version are unpacked by programs that no longer know its record.
        """
        size = self.record.itemsize // WORD_BYTES
        return (self.version.to_bytes(VERSION_BYTES, "little") + size.to_bytes(SIZE_BYTES, "little")).ljust(
            HEADER_BYTES, b"\0"
        )

    @property
    def units(self) -> int:
        """Of a record, as `packing.py` counts."""
        return self.record.itemsize // UNIT.itemsize


CURRENT = Layout(VERSION, ACCOUNT, FRESH, MIGRATIONS)
"""What this program reads and writes."""

HEADER = CURRENT.header


def records_of(keys: Sequence[bytes], values: Sequence[bytes]) -> NDArray[np.void]:
    """The account records in changelog `values` of the accounts `keys`, ACCOUNT[n]. Raises `LayoutError` as `record_bytes`."""
    records = np.zeros(len(values), ACCOUNT)
    read_into(records, np.arange(len(values)), keys, values, CURRENT)
    return records


def read_into(
    records: NDArray[np.void], rows: NDArray[np.int64], keys: Sequence[bytes], values: Sequence[bytes], layout: Layout
) -> None:
    """Write the record in `values[i]` of account `keys[i]` to `records[rows[i]]` (`layout.record`[m], C-contiguous), in bulk.

    Raises `LayoutError` as `record_bytes`; which rows are written by then is not said.
    """
    units = records.view(UNIT).reshape(-1, layout.units)
    others = unpack(values, layout.header, units, rows).tolist()
    if others:  # of an older layout, or of none at all
        joined = b"".join([record_bytes(keys[each], values[each], layout) for each in others])
        units[rows[others]] = np.frombuffer(joined, UNIT).reshape(-1, layout.units)


def record_bytes(key: bytes, value: bytes, layout: Layout = CURRENT) -> bytes:
    """The account record in a changelog `value` as bytes of `layout.record`, migrated forward where it is older.

    Raises `LayoutError` for a newer version, for one without a way forward, and for bytes that no version wrote.
    """
    newest = layout.version
    version, words = _head(key, value, newest)
    for step in range(version, newest):
        if step not in layout.migrations:
            raise LayoutError(
                f"changelog record of {key!r}: layout version {version} has no migration to {newest}; "
                "run a version of the program that reads it first, or rebuild the state from the transactions"
            )
    record = _unpacked(key, value, version, words) if words else value[HEADER_BYTES:]
    for step in range(version, newest):
        record = layout.migrations[step](record)
    if len(record) != layout.record.itemsize:
        raise LayoutError(
            f"changelog record of {key!r}: {len(record)} bytes, but layout version {newest} has {layout.record.itemsize}; "
            "the record is cut or another program's: check the changelog topic's name"
        )
    return record


def _head(key: bytes, value: bytes, newest: int) -> tuple[int, int]:
    """Version and size in words, 0 for a record that is not packed. Raises `LayoutError`."""
    version = int.from_bytes(value[:VERSION_BYTES], "little")
    words = int.from_bytes(value[VERSION_BYTES : VERSION_BYTES + SIZE_BYTES], "little")
    zeros = value[VERSION_BYTES + SIZE_BYTES : HEADER_BYTES] == bytes(HEADER_BYTES - VERSION_BYTES - SIZE_BYTES)
    if zeros and version > newest:
        raise LayoutError(
            f"changelog record of {key!r}: layout version {version} is newer than {newest}, the newest this program reads; "
            "run the version of the program that wrote it, or a newer one"
        )
    if not zeros or (version >= FIRST_PACKED) != (words > 0):
        raise LayoutError(
            f"changelog record of {key!r}: the header is {value[:HEADER_BYTES].hex() or 'missing'}, which no version writes; "
            "check that app_id names this installation's own changelog topic"
        )
    return version, words


def _unpacked(key: bytes, value: bytes, version: int, words: int) -> bytes:
    units = np.zeros((1, words * WORD_BYTES // UNIT.itemsize), UNIT)
    if unpack([value], value[:HEADER_BYTES], units, np.zeros(1, np.int64)).size:
        raise LayoutError(
            f"changelog record of {key!r}: the {len(value)} bytes are no packed record of layout version {version}; "
            "the record is cut, damaged or another program's: check the changelog topic's name and the broker's disks"
        )
    return units.tobytes()
