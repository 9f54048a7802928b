"""The encoder of blocks and alerts: fastavro's bytes."""

import io

import fastavro
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.effects.avro import long, same_text, text


def encoded(schema, value):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, value)
    return out.getvalue()


@given(st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-9000, 9000)))
@example(2**63 - 1)
@example(-(2**63))
def test_a_long_has_the_bytes_of_fastavro(number):
    assert long(number) == encoded("long", number)


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1])
def test_what_does_not_fit_64_bits_is_refused(number):
    with pytest.raises(OverflowError):
        long(number)


@given(st.text(max_size=200))
def test_a_string_has_the_bytes_of_fastavro(string):
    assert text(string) == same_text(string) == encoded("string", string)
