"""Bad input made on purpose: each kind is one that the monitor must send to the dead-letter topic."""

import io
import json
import struct
from collections.abc import Callable
from functools import cache
from typing import Any

import fastavro

from monitor.resources import shipped
from monitor.simulate.draws import Draws
from monitor.wire.framing import HEADER_BYTES, frame, unframe

Message = tuple[bytes | None, bytes]
"""Key and framed value."""

_YEAR_MS = 365 * 86_400_000
_FAR_ID = 0x40000000
"""Schema ids from here up are never given out by a registry in practice."""

_ATTEMPTS = 1000


def corrupt(message: Message, kind: str, draws: Draws) -> tuple[bytes | None, bytes | None]:
    """The message, spoiled in one of the `KINDS`. Raises KeyError for another kind.

    `message` must be a good transaction: the kinds that change content read it by schemas/transaction.avsc.
    """
    return _SPOILERS[kind](message, draws)


def _truncated(message: Message, draws: Draws) -> tuple[bytes | None, bytes | None]:
    key, value = message
    return key, value[: int(draws.between(HEADER_BYTES + 1, len(value) - 1, 1)[0])]


def _bit_flipped(message: Message, draws: Draws) -> tuple[bytes | None, bytes | None]:
    """One bit of the payload, such that it is no record any more: many flips only change a letter, and who would notice."""
    key, value = message
    for _ in range(_ATTEMPTS):
        bit = int(draws.between(8 * HEADER_BYTES, 8 * len(value) - 1, 1)[0])
        flipped = bytearray(value)
        flipped[bit // 8] ^= 1 << bit % 8
        if not _readable(bytes(flipped)):
            return key, bytes(flipped)
    raise ValueError(
        f"value of {len(value)} bytes: no single bit of {_ATTEMPTS} tried makes it unreadable; pass a transaction"
    )


def _wrong_magic(message: Message, draws: Draws) -> tuple[bytes | None, bytes | None]:
    key, value = message
    return key, bytes([int(draws.between(1, 255, 1)[0])]) + value[1:]


def _unknown_schema_id(message: Message, draws: Draws) -> tuple[bytes | None, bytes | None]:
    key, value = message
    return key, frame(_FAR_ID + int(draws.below(1 << 20, 1)[0]), unframe(value)[1])


def _missing_key(message: Message, _draws: Draws) -> tuple[bytes | None, bytes | None]:
    return None, message[1]


def _foreign_key(message: Message, draws: Draws) -> tuple[bytes | None, bytes | None]:
    return b"X%08d" % int(draws.below(10**8, 1)[0]), message[1]


def _empty_value(message: Message, _draws: Draws) -> tuple[bytes | None, bytes | None]:
    return message[0], b""


def _tombstone(message: Message, _draws: Draws) -> tuple[bytes | None, bytes | None]:
    return message[0], None


def _negative_amount(message: Message, _draws: Draws) -> tuple[bytes | None, bytes | None]:
    return _changed(message, lambda record: record.update(amount_minor=-1 - record["amount_minor"]))


def _unknown_currency(message: Message, _draws: Draws) -> tuple[bytes | None, bytes | None]:
    return _changed(message, lambda record: record.update(currency="QQQ"))


def _event_time_a_year_ahead(message: Message, _draws: Draws) -> tuple[bytes | None, bytes | None]:
    return _changed(message, lambda record: record.update(event_time=record["event_time"] + _YEAR_MS))


_SPOILERS: dict[str, Callable[[Message, Draws], tuple[bytes | None, bytes | None]]] = {
    "truncated": _truncated,
    "bit_flipped": _bit_flipped,
    "wrong_magic": _wrong_magic,
    "unknown_schema_id": _unknown_schema_id,
    "missing_key": _missing_key,
    "foreign_key": _foreign_key,
    "empty_value": _empty_value,
    "tombstone": _tombstone,
    "negative_amount": _negative_amount,
    "unknown_currency": _unknown_currency,
    "event_time_a_year_ahead": _event_time_a_year_ahead,
}

KINDS: tuple[str, ...] = tuple(_SPOILERS)
"""The kinds of bad input. The last is only bad where the event time is about now."""


@cache
def _schema() -> Any:
    schema: dict[str, Any] = json.loads((shipped("schemas") / "transaction.avsc").read_text())
    for field in schema["fields"]:
        if isinstance(field["type"], dict):
            field["type"].pop("logicalType", None)  # times stay integers
    return fastavro.parse_schema(schema)


def _changed(message: Message, change: Callable[[dict[str, Any]], None]) -> tuple[bytes | None, bytes | None]:
    key, value = message
    schema_id, payload = unframe(value)
    record: Any = fastavro.schemaless_reader(io.BytesIO(payload), _schema(), None)
    change(record)
    out = io.BytesIO()
    fastavro.schemaless_writer(out, _schema(), record)
    return key, frame(schema_id, out.getvalue())


def _readable(value: bytes) -> bool:
    stream = io.BytesIO(value[HEADER_BYTES:])
    try:
        fastavro.schemaless_reader(stream, _schema(), None)
    except (EOFError, IndexError, ValueError, OverflowError, MemoryError, struct.error):
        return False
    return stream.read(1) == b""
