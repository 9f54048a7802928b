"""What stands in the changelog, read as the layout of today: older versions are migrated, newer ones refused."""

from collections.abc import Callable

from monitor.errors import LayoutError
from monitor.state.layout import ACCOUNT, HEADER_BYTES, VERSION

VERSION_BYTES = 2

MIGRATIONS: dict[int, Callable[[bytes], bytes]] = {}
"""By version: from a record's bytes (without the header) in that version to its bytes in the next. Version 1 is the first."""

HEADER = VERSION.to_bytes(VERSION_BYTES, "little").ljust(HEADER_BYTES, b"\0")
"""In front of every value written."""


def record_bytes(key: bytes, value: bytes) -> bytes:
    """The account record in a changelog `value` as ACCOUNT's bytes, migrated forward where it is older.

    Raises `LayoutError` for a newer version, for one without a way forward, and for bytes that no version wrote.
    """
    version, padding = int.from_bytes(value[:VERSION_BYTES], "little"), value[VERSION_BYTES:HEADER_BYTES]
    if padding != bytes(HEADER_BYTES - VERSION_BYTES):
        raise LayoutError(
            f"changelog record of {key!r}: the header is {value[:HEADER_BYTES].hex() or 'missing'}, which no version writes; "
            "check that app_id names this installation's own changelog topic"
        )
    if version > VERSION:
        raise LayoutError(
            f"changelog record of {key!r}: layout version {version} is newer than {VERSION}, the newest this program reads; "
            "run the version of the program that wrote it, or a newer one"
        )
    record = value[HEADER_BYTES:]
    for step in range(version, VERSION):
        if step not in MIGRATIONS:
            raise LayoutError(
                f"changelog record of {key!r}: layout version {version} has no migration to {VERSION}; "
                "run a version of the program that reads it first, or rebuild the state from the transactions"
            )
        record = MIGRATIONS[step](record)
    if len(record) != ACCOUNT.itemsize:
        raise LayoutError(
            f"changelog record of {key!r}: {len(record)} bytes, but layout version {VERSION} has {ACCOUNT.itemsize}; "
            "the record is cut or another program's: check the changelog topic's name"
        )
    return record
