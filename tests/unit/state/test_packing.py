"""Packed records: against an encoder spelled out from docs/state.md, and against bytes that are none."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.state.layout import ACCOUNT
from monitor.state.packing import AT_ONCE, UNIT, pack, unpack

HEADER = bytes([2, 0, 9, 0, 0, 0, 0, 0])
ACCOUNT_UNITS = ACCOUNT.itemsize // UNIT.itemsize
TOP = 2**32 - 1


def spelled(units):
    """The packed value of one record, byte by byte as the document says."""
    units = [*units, *[0] * (-len(units) % 4)]
    bits, controls, data = [], [], b""
    for group in (units[at : at + 4] for at in range(0, len(units), 4)):
        bits.append(any(group))
        if any(group):
            codes = [0 if u == 0 else 1 if u < 2**8 else 2 if u < 2**16 else 3 for u in group]
            controls.append(sum(code << 2 * place for place, code in enumerate(codes)))
            data += b"".join(u.to_bytes((0, 1, 2, 4)[code], "little") for u, code in zip(group, codes, strict=True))
    bitmap = [sum(bit << place for place, bit in enumerate(bits[at : at + 8])) for at in range(0, len(bits), 8)]
    return HEADER + bytes(bitmap) + bytes(controls) + data


def packed(*records):
    table = np.array(records, UNIT)
    return pack(table, np.arange(len(records)), HEADER)


def read(values, units, header=HEADER):
    """The records of `values`, None where one is refused."""
    table = np.full((len(values), units), 0xABCD, UNIT)
    refused = set(unpack(values, header, table, np.arange(len(values))).tolist())
    for row in refused:
        assert (table[row] == 0xABCD).all(), "the row of a refused value is left alone"
    return [None if row in refused else table[row].tolist() for row in range(len(values))]


unit = st.sampled_from([0, 0, 0, 1, 255, 256, 65535, 65536, TOP]) | st.integers(0, TOP)
sizes = st.integers(1, 80)
record = sizes.flatmap(lambda n: st.lists(unit, min_size=n, max_size=n))


@given(sizes.flatmap(lambda n: st.lists(st.lists(unit, min_size=n, max_size=n), min_size=1, max_size=4)))
@example([[0] * ACCOUNT_UNITS, [TOP] * ACCOUNT_UNITS])
@example([[0]])
def test_records_are_packed_as_the_document_says_and_read_back(records):
    values = packed(*records)
    assert values == [spelled(each) for each in records]
    assert {type(value) for value in values} == {bytes}
    assert read(values, len(records[0])) == records


def test_only_the_rows_asked_for_are_packed_in_their_order_and_read_to_where_they_belong():
    table = np.arange(30, dtype=UNIT).reshape(5, 6)
    values = pack(table, np.array([3, 1]), HEADER)
    into = np.zeros((4, 6), UNIT)
    assert unpack(values, HEADER, into, np.array([0, 2])).size == 0
    assert into.tolist() == [table[3].tolist(), [0] * 6, table[1].tolist(), [0] * 6]
    assert pack(table, np.zeros(0, np.int64), HEADER) == []
    assert unpack([], HEADER, into, np.zeros(0, np.int64)).size == 0


def test_more_values_than_are_packed_at_once():
    table = np.random.default_rng(1).integers(0, 2**32, (2 * AT_ONCE + 1, 9)).astype(UNIT)
    values = pack(table, np.arange(len(table)), HEADER)
    assert values == [spelled(row) for row in table.tolist()]


@st.composite
def damaged(draw):
    """Bytes that were a packing of `n` units, or look like one; and n."""
    units = draw(record)
    value = bytearray(packed(units)[0])
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(value)))
        match draw(st.sampled_from(["flip", "set", "cut", "insert", "end"])):
            case "flip" if at < len(value):
                value[at] ^= 1 << draw(st.integers(0, 7))
            case "set" if at < len(value):
                value[at] = draw(st.sampled_from([0, 1, 0xFF]))
            case "cut":
                del value[at : at + draw(st.integers(1, 8))]
            case "insert":
                value[at:at] = draw(st.binary(min_size=1, max_size=8))
            case "end":
                del value[at:]
    return bytes(value), len(units)


@given(damaged() | st.tuples(st.binary(max_size=60).map(lambda tail: HEADER + tail), sizes))
def test_what_is_read_at_all_is_the_one_packing_of_its_record(value_and_units):
    value, units = value_and_units
    neighbour = list(range(units))
    before, found, after = read([*packed(neighbour), value, *packed(neighbour)], units)
    assert before == after == neighbour
    assert found is None or spelled(found) == value


ONE, TWO = HEADER + b"\1", HEADER + b"\3"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"", "nothing"),
        (HEADER, "no bitmap"),
        (HEADER + b"\3\1", "a control byte is missing"),
        (TWO + b"\1\1\5", "a unit's bytes are missing"),
        (ONE + b"\1\5\0", "a byte too many"),
        (ONE + b"\1\0", "a code for a zero"),
        (ONE + b"\2\5\0", "two bytes for what one holds"),
        (ONE + b"\3\5\1\0\0", "four bytes for what two hold"),
        (ONE + b"\0", "a group of zeros with a bit"),
        (HEADER + b"\4\1\5", "a bit behind the last group"),
        (HEADER + b"\2\x10\5", "a unit behind the last"),
        (b"\3" + (ONE + b"\1\5")[1:], "another header"),
    ],
)
def test_bytes_that_are_no_packing_are_refused(value, why):
    assert read([ONE + b"\1\5"], 5) == [[5, 0, 0, 0, 0]]
    assert read([value], 5) == [None], why


def test_nothing_outside_the_arrays_is_touched_whatever_the_bytes():
    """The kernels compiled with numba's own check of every index, over packings that are cut, flipped and made up."""
    environ = {**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": os.devnull}
    done = subprocess.run([sys.executable, "-c", CHECKED], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 1000


CHECKED = """
import numpy as np
from monitor import jit
jit.kernel = jit.nb.njit(nogil=True)  # in no cache: unchecked code is kept there under the same name
jit.inlined = jit.nb.njit(nogil=True, forceinline=True)
from monitor.state.packing import pack, unpack
draw = np.random.default_rng(5)
header, refused = bytes(range(8)), 0
for _ in range(300):
    n = int(draw.choice([draw.integers(1, 70), 538]))
    records = draw.integers(0, 2**32, (8, n)) >> draw.integers(0, 33, (8, n))
    values = pack(records.astype(np.uint32), np.arange(8), header)
    for row, value in enumerate(values[:6]):
        wrong = bytearray(value)
        for at in draw.integers(8, len(wrong), int(draw.integers(1, 4))).tolist():
            wrong[at] = int(draw.integers(0, 256))
        values[row] = bytes(wrong[: int(draw.integers(0, len(wrong) + 1))] if row < 3 else wrong)
    values.append(header + draw.bytes(int(draw.integers(0, 30))))
    refused += unpack(values, header, np.zeros((9, n), np.uint32), np.arange(9)).size
print(refused)
"""
