"""The slow reader, for the few schemas the kernel has no instructions for: recursive, enormous, or needing a text default.

It is fastavro's pure Python reader on purpose. The compiled one recurses on the C stack, so a hostile record of a recursive
schema ends the process with a segmentation fault (seen with fastavro 1.13 on 1 MB of 0x02); this one ends in RecursionError.
"""

import io
from typing import Any

from fastavro._read_py import schemaless_reader

from monitor.errors import SchemaIncompatible
from monitor.wire.avro_types import Named, Type, kind, without_logical_types
from monitor.wire.columns import CHANNELS, DIRECTIONS, LONGS, STRINGS

Row = tuple[list[int], list[bytes | None]]
"""Values in the order of `LONGS`, and UTF-8 of the strings in the order of `STRINGS`."""

_SYMBOLS: dict[str, tuple[str, ...]] = {"direction": DIRECTIONS, "channel": CHANNELS}
_LONG_MIN, _LONG_MAX = -(2**63), 2**63 - 1


class _Payload(io.BytesIO):
    """A record's bytes, strictly: fastavro takes a negative length for "all that is left", and some short reads for whole."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            raise ValueError(f"length {size} is negative")
        found = super().read(size)
        if len(found) < size:
            raise EOFError(f"{size} bytes expected, {len(found)} left")
        return found


class Fallback:
    """Reads records of `writer`, a schema parsed by fastavro, as `reader`."""

    def __init__(self, writer: Type, writer_types: Named, reader: Type) -> None:
        _refuse_arrays_of_nothing(writer, writer_types)
        self._writer = without_logical_types(writer)
        self._reader = without_logical_types(reader)

    def read(self, payload: bytes) -> Row | None:
        """The columns of one record; None where the bytes are not exactly one record that our schema can hold."""
        stream = _Payload(payload)
        try:
            record = schemaless_reader(stream, self._writer, self._reader)
            if stream.tell() != len(payload):
                return None
            return _row(record)  # type: ignore[arg-type]
        except Exception:
            return None


def _row(record: dict[str, Any]) -> Row | None:
    longs = [_SYMBOLS[name].index(record[name]) if name in _SYMBOLS else int(record[name]) for name in LONGS]
    if not all(_LONG_MIN <= number <= _LONG_MAX for number in longs):
        return None
    texts = [None if record[name] is None else record[name].encode() for name in STRINGS]
    return longs, texts


def _refuse_arrays_of_nothing(schema: Type, named: Named) -> None:
    """An array of nulls can claim 2**62 items in ten bytes, and fastavro would go through them one by one."""
    seen: set[str] = set()
    waiting: list[Type] = [schema]
    while waiting:
        part = named.full(waiting.pop())
        if isinstance(part, list):
            waiting.extend(part)
        elif isinstance(part, dict) and kind(part) == "array":
            if named.takes_no_bytes(part["items"]):
                raise SchemaIncompatible(
                    "an array of null or of empty records in a schema this large or recursive is not read; remove it"
                )
            waiting.append(part["items"])
        elif isinstance(part, dict) and kind(part) == "map":
            waiting.append(part["values"])
        elif isinstance(part, dict) and kind(part) == "record" and part["name"] not in seen:
            seen.add(part["name"])
            waiting.extend(field["type"] for field in part["fields"])
