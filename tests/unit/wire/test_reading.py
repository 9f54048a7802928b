"""What a chunk follows, whatever seeks come between."""

from hypothesis import given
from hypothesis import strategies as st

from monitor.wire.reading import Reading

STEPS = st.lists(st.tuples(st.sampled_from(["mark", "advance", "seek", "forget"]), st.integers(0, 30)), max_size=40)


@given(STEPS)
def test_a_chunk_follows_what_was_handed_over_or_sought_last_and_only_if_that_was_so_when_its_fetch_began(steps):
    reading, now, marked = Reading(), None, None
    for step, offset in steps:
        if step == "mark":
            reading.mark()
            marked = now
        elif step == "advance":
            assert reading.advance(0, offset) == (now if now == marked else None)
            now = offset
        elif step == "seek":
            reading.sought(0, offset)
            now = offset - 1
        else:
            reading.forget()
            now = None
        assert reading.next(0) == (None if now is None else now + 1)


def test_partitions_are_apart():
    reading = Reading()
    reading.sought(0, 5)
    reading.sought(1, 9)
    reading.mark()
    assert (reading.advance(0, 7), reading.next(1)) == (4, 9)
