"""Account records without their zeros: how a record stands in the changelog. Format in docs/state.md, "In the changelog".

A record is a row of uint32 *units*, four to a *group*. A packed value is

    header    8 bytes, the caller's
    bitmap    one bit a group, lowest first, 1 where the group is not all zeros; zeros up to the byte's end
    controls  one byte for each group with a bit: 2 bits a unit, lowest first: 0, 1, 2 or 4 bytes follow (codes 0 to 3)
    data      these low bytes of each unit, little-endian

It is Stream VByte in its 0124 variant (Lemire, Kurz, Rupp 2018) with control bytes of 0 left out. One record has one packing: `unpack`
takes no other bytes, so packed values are equal exactly when their records are.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from monitor.jit import LINE_BYTES, inlined, kernel, prefetch

UNIT = np.dtype(np.uint32)
GROUP = 4
AT_ONCE = 1024
"""Values packed by one call of the kernel: bounds its buffer at 2.4 MB."""

_AHEAD = 2
"""Records between asking for one's memory and packing it."""

_UNITS_A_LINE = LINE_BYTES // UNIT.itemsize

_SPARE = 8
"""Bytes behind a buffer: units are read and written four bytes at a time, the last one too."""

_U = np.uint64
_LOW7, _ONES, _GATHER = _U(0x7F7F7F7F7F7F7F7F), _U(0x0101010101010101), _U(0x0102040810204080)
_0, _1, _2, _3, _4, _6, _7, _8 = (_U(number) for number in (0, 1, 2, 3, 4, 6, 7, 8))
_16, _24, _32, _56, _BYTE = (_U(number) for number in (16, 24, 32, 56, 0xFF))

_BYTES_OF = (0, 1, 2, 4)
"""That follow for a unit, by code."""

_MASK = np.array([0, 0xFF, 0xFFFF, 0xFFFFFFFF], np.uint64)
_LEAST = np.array([0, 1, 0x100, 0x10000], np.uint64)
"""By code: the bits that its bytes hold, and the least value that needs so many."""


def _ends() -> NDArray[np.uint32]:
    """By control byte: where the bytes of its units end, counted from the first's beginning; 8 bits a unit."""
    sizes = np.array([[_BYTES_OF[control >> 2 * unit & 3] for unit in range(GROUP)] for control in range(256)])
    places = 8 * np.arange(GROUP)
    return np.asarray((np.cumsum(sizes, axis=1) << places).sum(axis=1), np.uint32)


_ENDS = _ends()


def pack(units: NDArray[np.uint32], rows: NDArray[np.int64], header: bytes) -> list[bytes]:
    """The packed value of each of `rows` of `units` (uint32[records, n], C-contiguous), behind its `header` of 8 bytes."""
    n = units.shape[1]
    groups = _padded_groups(n)
    line, codes, controls = (
        np.zeros(groups * GROUP, UNIT),
        np.zeros(groups * GROUP, np.uint8),
        np.zeros(groups, np.uint8),
    )
    scratch = line, codes, codes.view(np.uint32), controls, controls.view(np.uint64), np.empty(groups, np.uint16)
    most = len(header) + groups // 8 + groups + n * UNIT.itemsize
    out = np.empty(min(len(rows), AT_ONCE) * most + _SPARE, np.uint8)
    ends = np.empty(min(len(rows), AT_ONCE), np.int64)
    values: list[bytes] = []
    for first in range(0, len(rows), AT_ONCE):
        part = rows[first : first + AT_ONCE]
        _pack(units, part, _header(header), out, ends, *scratch)
        stops = ends[: len(part)].tolist()
        joined = out[: stops[-1]].tobytes()
        values += [joined[start:stop] for start, stop in zip([0, *stops], stops, strict=False)]
    return values


def unpack(
    values: Sequence[bytes], header: bytes, units: NDArray[np.uint32], rows: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Write the record of `values[i]` to row `rows[i]` of `units`; returns which values (places in `values`) are refused.

    Refused are those with another header or without a packing of a whole record behind it; their rows stay as they are.
    """
    groups = _padded_groups(units.shape[1])
    starts = np.zeros(len(values) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, values), np.int64, len(values)), out=starts[1:])
    data = np.frombuffer(b"".join([*values, bytes(_SPARE)]), np.uint8)
    refused = np.zeros(len(values), np.bool_)
    line, places = np.empty(groups * GROUP, UNIT), np.empty(groups, np.uint16)
    _unpack(data, starts, _header(header), units, rows, refused, line, places)
    return np.flatnonzero(refused)


def _padded_groups(units: int) -> int:
    """Groups of a record, rounded up to whole bytes of the bitmap."""
    return -(-units // (8 * GROUP)) * 8


def _header(header: bytes) -> np.uint64:
    return _U(int.from_bytes(header, "little"))


@inlined
def _put(out, at, unit):  # type: ignore[no-untyped-def]
    """Four bytes at `at`; LLVM makes one store of them."""
    out[at] = unit & _BYTE
    out[at + _1] = unit >> _8 & _BYTE
    out[at + _2] = unit >> _16 & _BYTE
    out[at + _3] = unit >> _24 & _BYTE


@inlined
def _get(data, at):  # type: ignore[no-untyped-def]
    """Four bytes from `at`, as one load."""
    return _U(data[at]) | _U(data[at + _1]) << _8 | _U(data[at + _2]) << _16 | _U(data[at + _3]) << _24


@kernel
def _pack(units, rows, header, out, ends, line, codes, quads, controls, octets, places):  # type: ignore[no-untyped-def]
    """`line`, `codes` and `controls` are padded with zeros; `quads` are four codes, `octets` eight controls, each in one number.

    Loops do one thing each, so that all but the last two become vector instructions. Unsigned indexes spare the test for negative ones.
    """
    n, groups = units.shape[1], controls.shape[0]
    at = _0
    for number in range(rows.shape[0]):
        if number + _AHEAD < rows.shape[0]:
            for place in range(0, n, _UNITS_A_LINE):
                prefetch(units, rows[number + _AHEAD], place)
        row = _U(rows[number])
        for place in range(n):
            unit = units[row, place]
            line[place] = unit
            codes[place] = np.uint8(unit > 0) + np.uint8(unit > 0xFF) + np.uint8(unit > 0xFFFF)
        for group in range(groups):
            quad = quads[group]
            controls[group] = quad | quad >> 6 | quad >> 12 | quad >> 18
        _put(out, at, header)
        _put(out, at + _4, header >> _32)
        at += _8
        for place in range(octets.shape[0]):
            some = ((octets[place] & _LOW7) + _LOW7 | octets[place]) >> _7 & _ONES
            out[at] = some * _GATHER >> _56
            at += _1
        kept = _0
        for group in range(groups):
            out[at + kept] = controls[group]
            places[kept] = group
            kept += _U(controls[group] != 0)
        at += kept
        for number_kept in range(kept):
            chosen = _U(places[number_kept])
            first, ends_of = chosen * _4, _U(_ENDS[controls[chosen]])
            _put(out, at, _U(line[first]))
            _put(out, at + (ends_of & _BYTE), _U(line[first + _1]))
            _put(out, at + (ends_of >> _8 & _BYTE), _U(line[first + _2]))
            _put(out, at + (ends_of >> _16 & _BYTE), _U(line[first + _3]))
            at += ends_of >> _24
        ends[number] = at


@kernel
def _unpack(data, starts, header, units, rows, refused, line, places):  # type: ignore[no-untyped-def]
    """Nothing is read before it is known to be inside the value, but for up to `_SPARE` bytes behind the last one."""
    n, padded = units.shape[1], line.shape[0]
    for number in range(rows.shape[0]):
        at, end = _U(starts[number]), _U(starts[number + 1])
        kept = _bitmap(data, at, end, header, places)
        at += _8 + _U(places.shape[0]) // _8
        if at + kept > end or at + kept + _data_bytes(data, at, kept) != end:
            refused[number] = True
            continue
        for place in range(padded):
            line[place] = 0
        wrong = _spread(data, at, kept, line, places)
        for place in range(n, padded):
            wrong |= line[place] != 0
        if wrong:
            refused[number] = True
            continue
        row = _U(rows[number])
        for place in range(n):
            units[row, place] = line[place]


@inlined
def _bitmap(data, at, end, header, places):  # type: ignore[no-untyped-def]
    """How many groups the bitmap has, their numbers in `places`; too many for any value where there is no header or bitmap."""
    size = _U(places.shape[0]) // _8
    if end < at + _8 + size or (_get(data, at) | _get(data, at + _4) << _32) != header:
        return end
    kept = _0
    for place in range(size):
        bits = _U(data[at + _8 + place])
        for bit in range(_8):
            places[kept] = place * _8 + bit
            kept += bits >> bit & _1
    return kept


@inlined
def _data_bytes(data, at, kept):  # type: ignore[no-untyped-def]
    """What the control bytes from `at` on announce."""
    total = _0
    for place in range(kept):
        total += _U(_ENDS[data[at + place]]) >> _24
    return total


@inlined
def _spread(data, controls, kept, line, places):  # type: ignore[no-untyped-def]
    """The units behind the control bytes, to their places in `line`. True when a code is too large for its unit, or a group all zeros."""
    at, wrong = controls + kept, False
    for place in range(kept):
        control = _U(data[controls + place])
        ends_of, begin = _U(_ENDS[control]), at
        wrong |= control == _0
        for unit in range(_4):
            code = control >> _2 * unit & _3
            value = _get(data, begin) & _MASK[code]
            wrong |= value < _LEAST[code]
            line[_U(places[place]) * _4 + unit] = value
            begin = at + (ends_of >> _8 * unit & _BYTE)
        at += ends_of >> _24
    return wrong
