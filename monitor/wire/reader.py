"""A writer's schema, made ready to read its records as `schemas/transaction.avsc`."""

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from fastavro import parse_schema

from monitor.errors import SchemaIncompatible
from monitor.resources import shipped
from monitor.wire.avro_fallback import Fallback
from monitor.wire.avro_types import Named, Type
from monitor.wire.program import NotCovered, Program, compile_program


@dataclass(frozen=True, slots=True)
class Reader:
    """One writer's schema, compiled; or, where `program` is None, its slow reader. Pure, and safe to share between threads."""

    program: Program | None
    fallback: Fallback | None = None


def compile_reader(writer_schema: str) -> Reader:
    """The reader of records written with `writer_schema` (Avro JSON). Raises `SchemaIncompatible` with the field and the fix."""
    return compile_reader_as(writer_schema, transaction_schema())


def compile_reader_as(writer_schema: str, reader_schema: str) -> Reader:
    """`compile_reader` against another schema of ours, that has every field of `Columns`."""
    reader, reader_types = _parse(reader_schema)
    try:
        writer, writer_types = _parse(writer_schema)
        try:
            return Reader(compile_program(writer, writer_types, reader, reader_types))
        except NotCovered:
            return Reader(None, Fallback(writer, writer_types, reader))
    except SchemaIncompatible:
        raise
    except Exception as error:
        raise SchemaIncompatible(
            f"the writer's schema is not valid Avro ({_name(error)}); fix it in the producer"
        ) from error


@cache
def transaction_schema() -> str:
    """The text of `schemas/transaction.avsc`, the reader's schema."""
    return (shipped("schemas") / "transaction.avsc").read_text()


def _parse(text: str) -> tuple[Type, Named]:
    named: dict[str, Any] = {}
    return parse_schema(json.loads(text), named_schemas=named), Named(named)


def _name(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
