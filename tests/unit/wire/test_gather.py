from hypothesis import given
from hypothesis import strategies as st

from monitor.wire.gather import gathered
from monitor.wire.records import Spans


@given(st.lists(st.one_of(st.none(), st.binary(max_size=9))))
def test_spans_are_joined_in_order_and_null_is_nothing(values):
    spans = Spans.of(values)
    assert gathered(spans.data, spans.starts, spans.lengths).tobytes() == b"".join(value or b"" for value in values)
    reverse = slice(None, None, -1)
    backwards = gathered(spans.data, spans.starts[reverse].copy(), spans.lengths[reverse].copy())
    assert backwards.tobytes() == b"".join(value or b"" for value in reversed(values))
