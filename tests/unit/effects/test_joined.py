"""Byte strings joined for a kernel can be taken apart again."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from monitor.effects.joined import joined


@given(st.lists(st.binary(max_size=5), max_size=6))
def test_each_string_lies_between_its_span_and_the_next(strings):
    data, spans = joined(strings)
    assert [data[first:last].tobytes() for first, last in itertools.pairwise(spans)] == strings
