"""Records of the schemas that ship with the program, as Kafka values: both ends are ours, so the shipped schema reads what it wrote."""

import io
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import fastavro

from monitor.resources import shipped
from monitor.wire.framing import frame, unframe


def write_record(file: str, record: Mapping[str, Any], schema_id: int) -> bytes:
    """`record` by `schemas/{file}`, in the Confluent wire format."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, our_schema(file), record)
    return frame(schema_id, out.getvalue())


def read_record(file: str, value: bytes) -> dict[str, Any]:
    """The record in a value that was written by `schemas/{file}`. Raises `ValueError` for what is none."""
    try:
        read: Any = fastavro.schemaless_reader(io.BytesIO(unframe(value)[1]), our_schema(file), None)
    except (EOFError, IndexError, KeyError, TypeError, ValueError, StopIteration) as error:
        raise ValueError(f"not a record of {file}: {error}") from None
    return dict(read)


@cache
def our_schema(file: str) -> Any:
    """The shipped `schemas/{file}`, parsed by fastavro."""
    return fastavro.parse_schema(json.loads((shipped("schemas") / file).read_text(encoding="utf-8")))
