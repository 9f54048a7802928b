"""The kernel against fastavro, over random evolved schemas and random bytes; and what it refuses beyond fastavro."""

import io
import json
import os
import struct
import subprocess
import sys
from random import Random

import fastavro
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.guard.reasons import Reason
from monitor.wire import columns as col
from monitor.wire.avro_fallback import Fallback
from monitor.wire.avro_kernel import is_utf8
from monitor.wire.avro_types import Named, without_logical_types
from monitor.wire.decode import compile_reader, decode
from monitor.wire.framing import HEADER_BYTES, frame
from monitor.wire.hashing import HashKey, hash_bytes
from monitor.wire.reader import Reader, transaction_schema
from monitor.wire.records import Spans

KEY = HashKey.parse("000102030405060708090a0b0c0d0e0f")
OURS = json.loads(transaction_schema())
LIMIT = 1 << 20

# ---- random writers' schemas ------------------------------------------------------------------------------------------

TEXT = st.sampled_from(
    ["string", "bytes", {"type": "string", "avro.java.string": "String"}, {"type": "string", "logicalType": "uuid"}]
)
REQUIRED_TEXT = TEXT | st.sampled_from(
    [["null", "string"], ["string", "null"], ["string"], ["int", "string"], ["bytes", "long", "string"]]
)
NULLABLE_TEXT = REQUIRED_TEXT | st.sampled_from(
    ["null", ["null", "bytes"], ["null", "int", "string"], ["null", "long"], ["null"]]
)
AMOUNT = st.sampled_from(
    ["long", "int", ["null", "long"], ["long", "null"], ["int", "string"], ["int", "long"], ["int"]]
)
TIME = AMOUNT | st.just({"type": "long", "logicalType": "timestamp-millis"})


@st.composite
def enums(draw, ours):
    more = draw(st.sampled_from([[], [], ["cheque", "cash"]]))
    symbols = draw(st.permutations([*ours["symbols"], *more]))[: draw(st.integers(1, len(ours["symbols"]) + len(more)))]
    enum = {"type": "enum", "name": f"foreign.{ours['name']}", "symbols": list(symbols)}
    return draw(st.sampled_from([enum, ["null", enum], [enum]]))


@st.composite
def other_types(draw, depth=2, names=None):
    """Any type that our schema does not have. Arrays of what takes no bytes are tested by themselves: fastavro walks them item by item."""
    simple = [
        "boolean",
        "int",
        "long",
        "float",
        "double",
        "bytes",
        "string",
        {"type": "bytes", "logicalType": "decimal", "precision": 9},
    ]
    kinds = ["simple"] * 4 + (["array", "map", "record", "union", "enum", "fixed"] if depth else ["enum", "fixed"])
    names = names if names is not None else iter(f"X{i}" for i in range(1000))
    inner = other_types(depth - 1, names) if depth else st.nothing()
    match draw(st.sampled_from(kinds)):
        case "simple":
            return draw(st.sampled_from(simple))
        case "array":
            return {"type": "array", "items": draw(inner)}
        case "map":
            return {"type": "map", "values": draw(inner)}
        case "record":
            fields = draw(st.lists(inner, min_size=1, max_size=3))
            return {
                "type": "record",
                "name": next(names),
                "fields": [{"name": f"f{i}", "type": t} for i, t in enumerate(fields)],
            }
        case "union":
            return draw(
                st.sampled_from(
                    [["null", "int"], ["string", "null", "double"], ["boolean", {"type": "array", "items": "long"}]]
                )
            )
        case "enum":
            return {"type": "enum", "name": next(names), "symbols": ["a", "b", "c"]}
        case _:
            return {"type": "fixed", "name": next(names), "size": draw(st.integers(1, 9))}


@st.composite
def writers(draw):
    """Our schema, evolved: fields changed, dropped, added and reordered."""
    fields = []
    for field in OURS["fields"]:
        name, ours = field["name"], field["type"]
        if name == "event_time":
            type_ = draw(TIME)
        elif name == "amount_minor":
            type_ = draw(AMOUNT)
        elif name in ("direction", "channel"):
            type_ = draw(enums(ours))
        elif name == "attributes":
            values = draw(st.sampled_from(["string", "bytes", ["null", "string"], ["string"]]))
            type_ = draw(st.sampled_from([{"type": "map", "values": values}, None]))
        elif isinstance(ours, list):
            type_ = draw(NULLABLE_TEXT | st.none())
        else:
            type_ = draw(REQUIRED_TEXT)
        if type_ is not None:
            fields.append({"name": name, "type": type_})
    names = iter(f"X{i}" for i in range(1000))
    added = draw(st.lists(other_types(names=names), max_size=3))
    fields += [{"name": f"added{i}", "type": type_} for i, type_ in enumerate(added)]
    return OURS | {"namespace": "foreign", "fields": draw(st.permutations(fields))}


# ---- an encoder of random values, which also writes blocks with negative counts ---------------------------------------

WORDS = ["", "a", "EUR", "acc-0001", "tx-00000000000000000000", "Gerät", "ж", "€uro-€uro", "😀", "x" * 70, "debit"]


def varint(number):
    bits = ((number << 1) ^ (number >> 63)) & (2**64 - 1)
    out = bytearray()
    while bits > 0x7F:
        out.append(bits & 0x7F | 0x80)
        bits >>= 7
    return bytes([*out, bits])


def counted(value):
    return varint(len(value)) + value


def blocks(random, item):
    out = b""
    for _ in range(random.randrange(3)):
        count = random.randrange(1, 4)
        body = b"".join(item() for _ in range(count))
        out += (varint(-count) + varint(len(body)) if random.random() < 0.5 else varint(count)) + body
    return out + b"\0"


def encode(schema, random):  # noqa: C901 - one case a type
    """A random value of `schema`, encoded."""
    if isinstance(schema, list):
        useful = [place for place, each in enumerate(schema) if each in ("string", "long") or isinstance(each, dict)]
        branch = random.choice(useful) if useful and random.random() < 0.8 else random.randrange(len(schema))
        return varint(branch) + encode(schema[branch], random)
    match schema if isinstance(schema, str) else schema["type"]:
        case "null":
            return b""
        case "boolean":
            return bytes([random.randrange(2)])
        case "int":
            return varint(random.choice([0, -1, 1299, -(2**31), 2**31 - 1]))
        case "long":
            return varint(random.choice([0, -1, 1_790_000_000_000, -(2**63), 2**63 - 1, random.getrandbits(40)]))
        case "float":
            return struct.pack("<f", random.random())
        case "double":
            return struct.pack("<d", random.random())
        case "string":
            return counted(random.choice(WORDS).encode())
        case "bytes":
            return counted(random.choice([*(word.encode() for word in WORDS * 4), b"\xff\xfe", b"\xed\xa0\x80"]))
        case "array":
            return blocks(random, lambda: encode(schema["items"], random))
        case "map":
            return blocks(random, lambda: counted(random.choice(WORDS).encode()) + encode(schema["values"], random))
        case "record":
            return b"".join(encode(field["type"], random) for field in schema["fields"])
        case "enum":
            return varint(random.randrange(len(schema["symbols"])))
        case "fixed":
            return random.randbytes(schema["size"])
        case other:
            raise AssertionError(other)


# ---- comparisons ------------------------------------------------------------------------------------------------------


class Whole(io.BytesIO):
    """fastavro's compiled reader takes a boolean that is cut off for False (1.13): a short read is an error here."""

    def read(self, size):
        found = super().read(size)
        if len(found) < size:
            raise EOFError
        return found


def by_fastavro(writer, payload):
    """The record, as fastavro resolves it; None where it cannot, or where bytes are left over."""
    stream = Whole(payload)
    try:
        record = fastavro.schemaless_reader(stream, without_logical_types(writer), without_logical_types(OURS))
        return record if stream.tell() == len(payload) else None
    except Exception:
        return None


def cells(columns, row):
    """A row of columns as plain values: hashes are checked against the strings here."""
    for field in range(len(col.STRINGS)):
        text = columns.text(field, row)
        assert columns.hashes[field, row] == (0 if text is None else hash_bytes(text.encode(), KEY))
    return [*columns.longs[:, row].tolist(), *(columns.text(field, row) for field in range(len(col.STRINGS)))]


def expected(record):
    symbols = {"direction": col.DIRECTIONS, "channel": col.CHANNELS}
    longs = [symbols[name].index(record[name]) if name in symbols else record[name] for name in col.LONGS]
    return [*longs, *(record[name] for name in col.STRINGS)]


def fallback_of(writer):
    named = {}
    parsed = fastavro.parse_schema(writer, named_schemas=named)
    return Reader(None, Fallback(parsed, Named(named), fastavro.parse_schema(OURS)))


@given(writers(), st.randoms(use_true_random=False))
@settings(max_examples=200)
def test_what_any_evolved_producer_writes_is_read_as_fastavro_reads_it(writer, random):
    payloads = [encode(writer, random) for _ in range(6)]
    values = [frame(1, payload) for payload in payloads]
    reader = compile_reader(json.dumps(writer))
    assert reader.program is not None

    fast = decode(Spans.of(values), {1: reader}, KEY, LIMIT)
    slow = decode(Spans.of(values), {1: fallback_of(writer)}, KEY, LIMIT)

    for row, payload in enumerate(payloads):
        record = by_fastavro(writer, payload)
        assert fast.reason[row] == slow.reason[row] == (0 if record else Reason.UNDECODABLE)
        if record:
            assert cells(fast, row) == cells(slow, row) == expected(record)


@given(writers(), st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_a_record_cut_off_anywhere_or_with_bytes_left_over_is_undecodable(writer, random):
    whole = encode(writer, random)
    pieces = [whole[:end] for end in range(len(whole))] + [whole + b"\0"]
    reader = compile_reader(json.dumps(writer))

    columns = decode(Spans.of([frame(1, piece) for piece in pieces]), {1: reader}, KEY, LIMIT)

    for row, piece in enumerate(pieces):
        record = by_fastavro(
            writer, piece
        )  # a cut may leave a shorter record only where a schema reads nothing at its end
        assert columns.reason[row] == (0 if record else Reason.UNDECODABLE)


@given(writers(), st.randoms(use_true_random=False))
@settings(max_examples=100)
def test_flipped_bits_end_as_undecodable_or_as_what_fastavro_reads(writer, random):
    whole = encode(writer, random)
    altered = []
    for _ in range(40):
        payload = bytearray(whole)
        for _ in range(random.randrange(1, 4)):
            payload[random.randrange(len(payload))] ^= 1 << random.randrange(8)
        altered.append(bytes(payload))
    reader = compile_reader(json.dumps(writer))

    columns = decode(Spans.of([frame(1, payload) for payload in altered]), {1: reader}, KEY, LIMIT)

    for row, payload in enumerate(altered):
        if columns.reason[row] == 0:
            assert cells(columns, row) == expected(by_fastavro(writer, payload))
        else:
            assert columns.reason[row] == Reason.UNDECODABLE
            assert not columns.longs[:, row].any()
            assert not columns.lengths[:, row].any()


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_random_bytes_never_make_a_string_outside_their_own_record(payloads):
    values = [frame(1, payload) for payload in payloads]
    columns = decode(Spans.of(values), {1: compile_reader(transaction_schema())}, KEY, LIMIT)

    ends = np.cumsum([len(value) for value in values])
    for row in np.flatnonzero(columns.reason == 0):
        starts, lengths = columns.starts[:, row], columns.lengths[:, row]
        filled = lengths >= 0
        assert (starts[filled] >= ends[row] - len(values[row]) + HEADER_BYTES).all()
        assert (starts + lengths)[filled].max() <= ends[row]


@given(st.binary(max_size=30) | st.text(max_size=12).map(str.encode))
def test_utf_8_is_what_python_takes_for_it(value):
    try:
        value.decode()
        valid = True
    except UnicodeDecodeError:
        valid = False

    assert is_utf8(np.frombuffer(value, np.uint8), 0, len(value)) == valid


@pytest.mark.parametrize("lead", range(0x80, 0x100))
def test_every_pair_after_a_lead_byte_is_judged_as_python_judges_it(lead):
    for second in range(0x70, 0x100, 3):
        for tail in (b"", b"\x80", b"\x80\x80", b"\xbf\x7f"):
            value = b"12345678" + bytes([lead, second]) + tail
            try:
                value.decode()
                valid = True
            except UnicodeDecodeError:
                valid = False
            assert is_utf8(np.frombuffer(value, np.uint8), 0, len(value)) == valid


# ---- stricter than fastavro, or safer ---------------------------------------------------------------------------------


def read_one(evolved, type_, field_bytes):
    """Reason of a record whose only unusual field, added first, holds `field_bytes`."""
    writer = evolved()
    writer["fields"].insert(0, {"name": "added", "type": type_})
    rest = b"\2t\2a\0\0\6EUR\0\0" + b"\0" * 7  # all null, and no attributes
    reader = compile_reader(json.dumps(writer))
    assert reader.program is not None
    return Reason(int(decode(Spans.of([frame(1, field_bytes + rest)]), {1: reader}, KEY, LIMIT).reason[0]))


@pytest.mark.parametrize(
    ("type_", "field_bytes", "reason"),
    [
        ("long", b"\0", 0),
        ("long", b"\x80" * 9 + b"\1", 0),
        ("long", b"\x80" * 9 + b"\2", Reason.UNDECODABLE),  # more than 64 bits
        ("long", b"\x80" * 10 + b"\0", Reason.UNDECODABLE),
        ("long", b"\x80" * 200, Reason.UNDECODABLE),
        ("int", varint(2**31 - 1), 0),
        ("int", varint(2**31), Reason.UNDECODABLE),
        ("int", varint(-(2**31) - 1), Reason.UNDECODABLE),
        ("boolean", b"\1", 0),
        ("boolean", b"\2", Reason.UNDECODABLE),
        ("string", varint(-1), Reason.UNDECODABLE),
        ("string", varint(2**62), Reason.UNDECODABLE),
        ("string", varint(2**63 - 1), Reason.UNDECODABLE),
        ("string", varint(-(2**63)), Reason.UNDECODABLE),
        ("string", counted(b"\xff"), Reason.UNDECODABLE),
        ("bytes", counted(b"\xff"), 0),
        (["null", "int"], varint(2), Reason.UNDECODABLE),
        (["null", "int"], varint(-1), Reason.UNDECODABLE),
        ({"type": "array", "items": "int"}, varint(-2) + varint(2) + b"\0\0\0", 0),
        (
            {"type": "array", "items": "int"},
            varint(-2) + varint(3) + b"\0\0\0",
            Reason.UNDECODABLE,
        ),  # the size is wrong
        ({"type": "array", "items": "int"}, varint(-2) + varint(-2) + b"\0\0\0", Reason.UNDECODABLE),
        ({"type": "array", "items": "int"}, varint(-(2**63)) + varint(0), Reason.UNDECODABLE),
        ({"type": "array", "items": "int"}, varint(2**62), Reason.UNDECODABLE),
        ({"type": "array", "items": "null"}, varint(2**62) + b"\0", 0),  # at once, not after 2**62 steps
        ({"type": "array", "items": "null"}, varint(-(2**62)) + varint(0) + b"\0", 0),
        ({"type": "array", "items": "null"}, varint(-5) + varint(1) + b"\0", Reason.UNDECODABLE),
        ({"type": "array", "items": {"type": "fixed", "name": "Z", "size": 0}}, varint(2**62) + b"\0", 0),
        ({"type": "map", "values": "null"}, varint(1) + counted(b"k") + b"\0", 0),
        ({"type": "fixed", "name": "F", "size": 2**40}, b"", Reason.UNDECODABLE),
        ({"type": "enum", "name": "E", "symbols": ["a"]}, varint(1), Reason.UNDECODABLE),
        ({"type": "enum", "name": "E", "symbols": ["a"]}, varint(-1), Reason.UNDECODABLE),
    ],
)
def test_a_field_of_another_producer_is_stepped_over_strictly(type_, field_bytes, reason, evolved):
    assert read_one(evolved, type_, field_bytes) == reason


def test_arrays_and_maps_inside_one_another_are_stepped_over(evolved):
    type_ = "int"
    for _ in range(8):
        type_ = {"type": "array", "items": {"type": "map", "values": type_}}
    value = b"\0"
    for _ in range(8):
        value = varint(1) + varint(1) + counted(b"k") + value + b"\0\0"

    assert read_one(evolved, type_, value) == Reason.ADMITTED


def test_a_symbol_we_do_not_know_is_undecodable_and_the_others_are_read(write, evolved):
    writer = evolved(channel={"type": "enum", "name": "Channel", "symbols": ["cheque", "wallet"]})
    values = [write(writer, channel="cheque"), write(writer, channel="wallet")]

    columns = decode(Spans.of(values), {1: compile_reader(json.dumps(writer))}, KEY, LIMIT)

    assert columns.reason.tolist() == [Reason.UNDECODABLE, 0]
    assert columns.longs[col.CHANNEL, 1] == col.CHANNELS.index("wallet")


BOUNDS_CHECKED = """
import json, sys
import numpy as np
from monitor.wire.avro_kernel import decode_rows
from monitor.wire.ops import MAX_DEPTH
from monitor.wire.records import Spans
from monitor.wire.reader import compile_reader

for schema, payloads in json.load(sys.stdin):
    program = compile_reader(schema).program
    for payload in map(bytes.fromhex, payloads):
        data = np.frombuffer(bytes(5) + payload, np.uint8)
        longs, starts, hashes = np.zeros((4, 1), np.int64), np.zeros((9, 1), np.int64), np.zeros((9, 1), np.uint64)
        begins, ends, rows = np.array([5]), np.array([len(data)]), np.array([0])
        scratch = np.zeros(MAX_DEPTH, np.int64), np.zeros(MAX_DEPTH, np.int64)
        columns = longs, starts, np.zeros((9, 1), np.int32), hashes, np.zeros(1, np.uint8)
        key = np.uint64(1), np.uint64(2)
        decode_rows(data, begins, ends, rows, program.code, program.table, *scratch, *columns, 23, *key)
print("done")
"""


def test_no_byte_outside_a_record_is_touched_however_it_is_cut_or_altered(evolved, write, tmp_path):
    """In a process of its own, where numba checks every index: the record ends where its buffer ends."""
    random = Random(7)
    nested = {
        "type": "array",
        "items": {"type": "map", "values": ["null", "double", {"type": "fixed", "name": "F", "size": 3}]},
    }
    cases = []
    for writer in (evolved(), evolved(merchant_id=["string", "null"], added=nested, flag="boolean")):
        payloads = [
            write(writer, added=[{"k": 0.5, "l": b"abc"}, {}], flag=True)[HEADER_BYTES:],
            encode(writer, random),
        ]
        cut = [payload[:end] for payload in payloads for end in range(len(payload) + 1)]
        altered = [bytes(p) for p in (bytearray(random.choice(payloads)) for _ in range(400)) if flip(p, random)]
        longer = [
            payload[:at] + varint(len(payload) - at) + payload[at + 1 :]
            for payload in payloads
            for at in range(len(payload))
        ]
        cases.append((json.dumps(writer), [piece.hex() for piece in cut + altered + longer]))
    environ = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}

    done = subprocess.run(
        [sys.executable, "-c", BOUNDS_CHECKED],
        input=json.dumps(cases),
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == "done\n", done.stderr[-2000:]


def flip(payload, random):
    payload[random.randrange(len(payload))] ^= 1 << random.randrange(8)
    return True
