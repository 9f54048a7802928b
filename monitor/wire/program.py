"""Compile a writer's schema, resolved against `schemas/transaction.avsc`, into instructions for the decoding kernel.

Resolution follows the Avro 1.11 specification where it speaks, and is stricter in one place: numbers that mean another time
(timestamp-micros, date ...) are refused, where the specification would silently read them as milliseconds.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.errors import SchemaIncompatible
from monitor.wire import ops as op
from monitor.wire.avro_types import PRIMITIVES, PROMOTIONS, Named, Type, kind, logical, mismatch, short_name, size_of
from monitor.wire.columns import LONGS, STRINGS

_TIMES = frozenset(
    {"date", "time-millis", "time-micros"}
    | {f"{zone}timestamp-{unit}" for zone in ("", "local-") for unit in ("millis", "micros", "nanos")}
)
"""Logical types whose numbers mean something else than a plain long."""

_NUMBERS_IN_BYTES = frozenset({"decimal", "big-decimal"})


class NotCovered(Exception):
    """The kernel has no instruction for this schema; the fallback can read it."""


@dataclass(frozen=True, slots=True)
class Program:
    """`code` int32[m, 4], see `monitor.wire.ops`; `table` int64[k], at least one long."""

    code: NDArray[np.int32]
    table: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sink:
    """Where a field of ours goes: row `row` of the longs or of the strings, or nowhere when `row` is -1."""

    path: str
    row: int = -1
    text: bool = False


def sink_of(name: str) -> Sink:
    """The place of the reader's field `name` in `Columns`."""
    if name in LONGS:
        return Sink(name, LONGS.index(name))
    return Sink(name, STRINGS.index(name), text=True) if name in STRINGS else Sink(name)


def compile_program(writer: Type, writer_types: Named, reader: Type, reader_types: Named) -> Program:
    """The program that reads `writer`'s records as `reader`'s; both parsed by fastavro.

    Raises `SchemaIncompatible` naming the field and the fix; `NotCovered` where only the fallback can read it.
    """
    compiler = _Compiler(writer_types, reader_types)
    compiler.resolve(writer, reader, Sink("the record"))
    compiler.emit(op.END)
    if compiler.not_covered:
        raise NotCovered(compiler.not_covered)
    return Program(np.array(compiler.code, np.int32), np.array(compiler.table or [0], np.int64))


@dataclass
class _Compiler:
    writer_types: Named
    reader_types: Named
    code: list[list[int]] = field(default_factory=list)
    table: list[int] = field(default_factory=list)
    open_records: list[str] = field(default_factory=list)
    depth: int = 0
    not_covered: str = ""

    def emit(self, code: int, a: int = 0, b: int = 0, c: int = 0) -> int:
        """Append an instruction; its place, for jumps to be patched."""
        if len(self.code) >= op.MAX_OPS:
            raise NotCovered(f"more than {op.MAX_OPS} instructions")
        self.code.append([code, a, b, c])
        return len(self.code) - 1

    # a writer's type read as one of ours

    def resolve(self, writer: Type, reader: Type, sink: Sink) -> None:
        """Emit what reads `writer` as `reader` into `sink`. Raises `SchemaIncompatible`."""
        writer, reader = self.writer_types.full(writer), self.reader_types.full(reader)
        if isinstance(writer, list):
            if not self._nullable_text(writer, reader, sink):
                self._branches(writer, lambda branch: self.resolve(branch, reader, sink), sink.path)
        elif isinstance(reader, list):
            self._first_match(writer, reader, sink)
        elif kind(writer) in PRIMITIVES:
            self._primitive(writer, reader, sink)
        elif kind(writer) != kind(reader):
            raise mismatch(writer, reader, sink.path)
        elif kind(writer) in ("array", "map"):
            part = "items" if kind(writer) == "array" else "values"
            self._blocks(writer, lambda: self.resolve(writer[part], reader[part], Sink(sink.path)))  # type: ignore[index]
        else:
            self._named(writer, reader, sink)  # type: ignore[arg-type]

    def _named(self, writer: dict[str, Any], reader: dict[str, Any], sink: Sink) -> None:
        aliases = {name.rpartition(".")[2] for name in reader.get("aliases", [])}
        if short_name(writer) not in {short_name(reader)} | aliases:
            raise SchemaIncompatible(
                f"{sink.path}: the writer's {writer['type']} is named {writer['name']}, ours {reader['name']}; "
                f"name it {short_name(reader)} in the producer's schema"
            )
        if writer["type"] == "record":
            self._record(writer, reader)
        elif writer["type"] == "enum":
            self._enum(writer, reader, sink)
        elif size_of(writer) != reader["size"]:
            raise mismatch(writer, reader, sink.path)
        else:
            self.skip(writer)

    def _record(self, writer: dict[str, Any], reader: dict[str, Any]) -> None:
        if self.open_records:
            raise NotCovered("a record of ours inside ours")
        self.open_records.append(writer["name"])
        ours = {part["name"]: part for part in reader["fields"]}
        for part in writer["fields"]:
            mine = ours.pop(part["name"], None)
            before = len(self.code), len(self.table)
            try:
                if mine is None:
                    self.skip(part["type"])
                else:
                    self.resolve(part["type"], mine["type"], sink_of(part["name"]))
            except NotCovered as why:  # go on: a later field may be incompatible, which is said at once
                del self.code[before[0] :], self.table[before[1] :]
                self.not_covered = f"{part['name']}: {why}"
                self.depth, self.open_records = 0, [writer["name"]]
        for name, mine in ours.items():
            self._default(name, mine, sink_of(name))
        self.open_records.pop()

    def _default(self, name: str, mine: dict[str, Any], sink: Sink) -> None:
        if "default" not in mine:
            raise SchemaIncompatible(
                f"{name}: missing in the writer's schema, and ours has no default; add it to the producer's schema"
            )
        if sink.row < 0:
            return
        value = mine["default"]
        if sink.text and value is not None:
            self.not_covered = f"{name}: a default that is text"
        elif sink.text:
            self.emit(op.NULL, sink.row)
        else:
            full = self.reader_types.full(mine["type"])
            symbols = full["symbols"] if isinstance(full, dict) and full["type"] == "enum" else None
            self.emit(op.CONSTANT, sink.row, self._store([symbols.index(value) if symbols else int(value)]))

    def _primitive(self, writer: Type, reader: Type, sink: Sink) -> None:
        mine, ours = kind(writer), kind(reader)
        if mine != ours and ours not in PROMOTIONS.get(mine, ()):
            raise mismatch(writer, reader, sink.path)
        meaning = logical(writer)
        if mine in ("int", "long") and meaning in _TIMES and meaning != logical(reader):
            raise mismatch(writer, reader, sink.path)
        if mine == "bytes" and ours == "string" and meaning in _NUMBERS_IN_BYTES:
            raise mismatch(writer, reader, sink.path)
        if sink.row < 0:
            self.skip("string" if "string" in (mine, ours) else writer)
        elif mine == "null":
            self.emit(op.NULL, sink.row)
        elif sink.text:
            self.emit(op.STRING, sink.row)
        else:
            self.emit(op.LONG, sink.row, int(mine == "int"))

    def _enum(self, writer: dict[str, Any], reader: dict[str, Any], sink: Sink) -> None:
        ours: list[str] = reader["symbols"]
        unknown = ours.index(reader["default"]) if reader.get("default") else -1
        places = [ours.index(symbol) if symbol in ours else unknown for symbol in writer["symbols"]]
        if sink.row < 0:
            raise NotCovered("an enum that no column takes")
        self.emit(op.ENUM, sink.row, self._store(places), len(places))

    def _first_match(self, writer: Type, reader: list[Any], sink: Sink) -> None:
        for branch in reader:
            before = len(self.code), len(self.table)
            try:
                return self.resolve(writer, branch, sink)
            except SchemaIncompatible:
                del self.code[before[0] :], self.table[before[1] :]
        raise mismatch(writer, reader, sink.path)

    def _nullable_text(self, writer: list[Any], reader: Type, sink: Sink) -> bool:
        """One instruction for the usual case: null or text, in either order, read as our nullable string."""
        kinds = [kind(self.writer_types.full(branch)) for branch in writer]
        if not sink.text or not isinstance(reader, list) or "null" not in reader or sorted(kinds) != ["null", "string"]:
            return False
        self.emit(op.NULLABLE, sink.row, kinds.index("null"))
        return True

    # a writer's type that we do not have

    def skip(self, writer: Type) -> None:
        """Emit what steps over `writer`."""
        writer = self.writer_types.full(writer)
        what = kind(writer)
        if isinstance(writer, list):
            self._branches(writer, self.skip, "a field we skip")
        elif what in _SKIPS:
            self.emit(*_SKIPS[what])
        elif what in ("array", "map"):
            assert isinstance(writer, dict)
            self._blocks(writer, lambda: self.skip(writer["items" if what == "array" else "values"]))
        elif isinstance(writer, dict) and what == "record":
            if writer["name"] in self.open_records:
                raise NotCovered(f"{writer['name']} contains itself")
            self.open_records.append(writer["name"])
            for part in writer["fields"]:
                self.skip(part["type"])
            self.open_records.pop()
        elif isinstance(writer, dict) and what == "enum":
            self.emit(op.SKIP_ENUM, len(writer["symbols"]))
        elif isinstance(writer, dict) and what == "fixed":
            self.emit(op.SKIP_FIXED, size_of(writer))

    # control flow

    def _store(self, values: list[int]) -> int:
        self.table.extend(values)
        return len(self.table) - len(values)

    def _branches(self, branches: list[Any], emit_branch: Any, path: str) -> None:
        """UNION, then each branch; one that we cannot read is FAIL, and no readable one at all is an error."""
        targets = self._store([0] * len(branches))
        self.emit(op.UNION, targets, len(branches))
        exits, refused = [], []
        for place, branch in enumerate(branches):
            start, outer = len(self.code), (list(self.open_records), self.depth)
            try:
                emit_branch(branch)
            except SchemaIncompatible as why:
                self.open_records, self.depth = outer
                del self.code[start:]  # what it stored in the table stays: nothing points there
                self.emit(op.FAIL)
                refused.append(why)
            self.table[targets + place] = start
            exits.append(self.emit(op.JUMP))
        if len(refused) == len(branches):
            raise SchemaIncompatible(
                f"{path}: no branch of the writer's union can be read ({'; '.join(map(str, refused))})"
            )
        for place in exits:
            self.code[place][1] = len(self.code)

    def _blocks(self, writer: Any, emit_item: Any) -> None:
        if writer["type"] == "array" and self.writer_types.takes_no_bytes(writer["items"]):
            before = len(self.code)
            emit_item()  # for its checks; no item has bytes, so one instruction reads them all
            del self.code[before:]
            self.emit(op.EMPTY_BLOCKS)
            return
        if self.depth == op.MAX_DEPTH:
            raise NotCovered(f"arrays and maps nested deeper than {op.MAX_DEPTH}")
        self.depth += 1
        head = self.emit(op.BLOCKS)
        if writer["type"] == "map":
            self.emit(op.SKIP_BYTES, 1)
        emit_item()
        tail = self.emit(op.NEXT, head + 1)
        self.code[head][1] = self.code[tail][2] = tail + 1
        self.depth -= 1


_SKIPS: dict[str, tuple[int, ...]] = {
    "null": (op.SKIP_FIXED, 0),
    "boolean": (op.SKIP_BOOLEAN,),
    "int": (op.SKIP_VARINT, 0, 1),
    "long": (op.SKIP_VARINT,),
    "float": (op.SKIP_FIXED, 4),
    "double": (op.SKIP_FIXED, 8),
    "bytes": (op.SKIP_BYTES,),
    "string": (op.SKIP_BYTES, 1),
}
