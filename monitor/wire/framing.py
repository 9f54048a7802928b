"""The Confluent wire format: a zero byte, the schema id as a big-endian int32, then the Avro record."""

import struct

MAGIC = 0
"""The first byte of every framed value."""

HEADER_BYTES = 5
"""Magic and schema id, in front of the payload."""

_HEADER = struct.Struct(">bi")


def frame(schema_id: int, payload: bytes) -> bytes:
    """`payload`, an Avro record, as a Kafka value that names the schema it was written with."""
    return _HEADER.pack(MAGIC, schema_id) + payload


def unframe(value: bytes) -> tuple[int, bytes]:
    """The schema id and the payload of a value. Raises ValueError where there is no such header."""
    if len(value) < HEADER_BYTES or value[0] != MAGIC:
        raise ValueError(
            f"value of {len(value)} bytes does not begin with {MAGIC} and a schema id; frame it with `frame`"
        )
    return int(_HEADER.unpack_from(value)[1]), value[HEADER_BYTES:]
