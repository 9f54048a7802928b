"""Avro types as parsed by fastavro, asked simple questions. A type is a name (str), a union (list) or a dict."""

from collections.abc import Mapping
from typing import Any

from monitor.errors import SchemaIncompatible

Type = str | list[Any] | dict[str, Any]

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})

PROMOTIONS = {
    "int": {"long", "float", "double"},
    "long": {"float", "double"},
    "float": {"double"},
    "string": {"bytes"},
    "bytes": {"string"},
}
"""Avro 1.11 specification, "Schema Resolution": what each writer's primitive may be read as, beside itself."""


class Named:
    """The named types of one schema, to look references up."""

    def __init__(self, types: Mapping[str, Any]) -> None:
        self._types = types
        self._empty: dict[str, bool] = {}

    def full(self, schema: Type) -> Type:
        """The type itself, where `schema` is a reference to a named one."""
        if isinstance(schema, str) and schema not in PRIMITIVES:
            return self._types[schema]  # type: ignore[no-any-return]
        if isinstance(schema, dict) and isinstance(schema["type"], (dict, list)):
            return self.full(schema["type"])
        return schema

    def takes_no_bytes(self, schema: Type) -> bool:
        """Whether every value of the type is encoded in nothing: null, fixed of size 0, records of such."""
        schema = self.full(schema)
        what = kind(schema)
        if what == "null" or not isinstance(schema, dict):
            return what == "null"
        if what == "fixed":
            return bool(schema["size"] == 0)
        if what != "record":
            return False
        name = schema["name"]
        if name not in self._empty:  # remembered: a schema may name its types exponentially often
            self._empty[name] = False
            self._empty[name] = all(self.takes_no_bytes(field["type"]) for field in schema["fields"])
        return self._empty[name]


def kind(schema: Type) -> str:
    """The type's own name: a primitive, `union`, `record`, `enum`, `fixed`, `array` or `map`. References resolved before."""
    if isinstance(schema, list):
        return "union"
    return schema if isinstance(schema, str) else str(schema["type"])


def logical(schema: Type) -> str | None:
    """Its `logicalType`, if any."""
    return schema.get("logicalType") if isinstance(schema, dict) else None


def short_name(schema: dict[str, Any]) -> str:
    """A named type's name without its namespace: what schema resolution compares."""
    return str(schema["name"]).rpartition(".")[2]


def without_logical_types(schema: Any) -> Any:
    """A copy without `logicalType`: fastavro then gives the stored numbers and bytes, not datetimes and decimals."""
    if isinstance(schema, list):
        return [without_logical_types(part) for part in schema]
    if isinstance(schema, dict):
        return {key: without_logical_types(value) for key, value in schema.items() if key != "logicalType"}
    return schema


def size_of(fixed: dict[str, Any]) -> int:
    """Bytes of a fixed, at most what an int32 holds: no record is as large. Raises `SchemaIncompatible` where it is no size."""
    size = fixed["size"]
    if not isinstance(size, int) or size < 0:
        raise SchemaIncompatible(f"{fixed['name']}: a fixed of size {size!r}; the size must be a number of bytes")
    return min(size, 2**31 - 1)


def mismatch(writer: Type, reader: Type, path: str) -> SchemaIncompatible:
    """The error to raise where a field at `path` cannot be read as ours."""
    return SchemaIncompatible(
        f"{path}: the writer's {_words(writer)} cannot be read as our {_words(reader)}; change the producer's schema"
    )


def _words(schema: Type) -> str:
    if isinstance(schema, list):
        return " or ".join(_words(branch) for branch in schema)
    return f"{kind(schema)} ({logical(schema)})" if logical(schema) else kind(schema)
