import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.effects.shadow import SCHEMA, ShadowBlock, read_shadow, shadow_value
from monitor.wire.our_records import read_record, write_record

ROW = st.tuples(
    st.integers(0, 2**31 - 1), st.floats(width=32), st.floats(width=32), st.integers(0, 2), st.integers(0, 2)
)


def block_of(rows, first=7, alerts=()):
    rows = sorted(rows, key=lambda row: row[0])
    columns = [np.array([row[at] for row in rows]) for at in range(5)] if rows else [np.zeros(0)] * 5
    return ShadowBlock(
        "a", "b", "ab" * 32, "2026-11-22", "t", "id", 3, first, first + 10, 1_000, 2_000,
        columns[0].astype(np.int64) + first, columns[1].astype(np.float32), columns[2].astype(np.float32),
        columns[3].astype(np.uint8), columns[4].astype(np.uint8), list(alerts),
    )  # fmt: skip


@given(st.lists(ROW, max_size=20), st.integers(0, 2**40))
def test_a_block_comes_back_as_it_was(rows, first):
    block = block_of(rows, first, [(0, "t-€", "a-1")] if rows else ())
    again = read_shadow(shadow_value(block, 5))
    for field in dataclasses.fields(ShadowBlock):
        mine, theirs = getattr(again, field.name), getattr(block, field.name)
        if isinstance(mine, np.ndarray):
            np.testing.assert_array_equal(mine, theirs)
        else:
            assert mine == theirs, field.name


@pytest.mark.parametrize("value", [b"", b"\0\0\0\0\5", b"\0\0\0\0\5garbage"])
def test_what_is_no_block_is_refused(value):
    with pytest.raises(ValueError, match="not a record of shadow-block"):
        read_shadow(value)


def test_columns_of_unequal_length_are_refused():
    value = shadow_value(block_of([(1, 0.5, 0.25, 0, 2)]), 5)
    read = read_record(SCHEMA, value)
    with pytest.raises(ValueError, match="unequal length"):
        read_shadow(write_record(SCHEMA, read | {"outcomes": b""}, 5))
