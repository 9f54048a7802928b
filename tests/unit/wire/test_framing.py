"""The five bytes in front of a record."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.wire.framing import frame, unframe


@given(st.integers(0, 2**31 - 1), st.binary(max_size=20))
def test_what_is_framed_comes_out_again(schema_id, payload):
    assert unframe(frame(schema_id, payload)) == (schema_id, payload)


def test_the_id_is_big_endian_after_a_zero_byte():
    assert frame(258, b"x") == b"\0\0\0\1\2x"


@pytest.mark.parametrize("value", [b"", b"\0\0\0\0", b"\1\0\0\0\1"])
def test_a_value_without_a_header_is_refused(value):
    with pytest.raises(ValueError, match="frame it"):
        unframe(value)
