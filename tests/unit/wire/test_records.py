"""Records in columns say what the records said."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from monitor.wire.records import Record, Records, Run, Spans

TEXT = st.one_of(st.none(), st.binary(max_size=12))
HEADERS = st.lists(st.tuples(st.text(max_size=5), TEXT), max_size=3).map(tuple)


@st.composite
def records(draw):
    offsets = sorted(draw(st.sets(st.integers(0, 1 << 60), min_size=1, max_size=12)))
    return [Record(at, draw(TEXT), draw(TEXT), draw(st.integers(-1, 1 << 60)), draw(HEADERS)) for at in offsets]


@given(st.lists(TEXT, max_size=9))
def test_spans_are_the_values_they_were_made_of(values):
    spans = Spans.of(values)
    assert len(spans) == len(values)
    assert spans.all() == [spans.at(row) for row in range(len(values))] == values


@given(records(), st.data())
def test_records_are_those_they_were_made_of_however_they_were_cut_and_joined(made, data):
    columns = Records.of(made)
    assert list(columns) == made
    at = data.draw(st.integers(0, len(made)))
    assert list(columns[:at]) == made[:at]
    assert list(Records.join([columns[:at], columns[at:]])) == made
    assert list(Records.join([columns[at:], Records.of(made)])) == made[at:] + made
    # As a fetch has it: kernels are compiled for data that is never written, and for other data they would be compiled anew.
    assert not columns.data.flags.writeable
    assert not Records.join([columns, columns]).data.flags.writeable
    mask = data.draw(st.lists(st.booleans(), min_size=len(made), max_size=len(made)))
    assert list(columns[np.array(mask)]) == [each for each, chosen in zip(made, mask, strict=True) if chosen]


@given(records())
def test_after_an_offset_come_those_beyond_it(made):
    columns = Records.of(made)
    for record in made:
        assert list(columns.after(record.offset)) == [each for each in made if each.offset > record.offset]
    assert columns.after(-1) is columns


@given(records())
def test_the_bytes_of_records_cover_keys_values_and_headers(made):
    for record, size in zip(made, Records.of(made).sizes.tolist(), strict=True):
        parts = [record.key, record.value, *(part for name, value in record.headers for part in (name.encode(), value))]
        assert size >= sum(len(part or b"") for part in parts)


def test_a_header_that_is_no_text_shows_what_can_be_read_of_its_name():
    columns = Records.of([Record(0, None, b"v", 0, (("name", b"1"),))])
    data = columns.data.copy()
    data[data.tobytes().index(b"name")] = 0xFF
    spoiled = Records(data, *(getattr(columns, name) for name in Records.__slots__ if name != "data"))
    assert spoiled.record(0).headers == (("\ufffdame", b"1"),)


def test_a_run_ends_at_the_offset_of_its_last_record_whatever_the_gaps():
    run = Run("transactions", 0, 4, Records.of([Record(7, b"k", b"v"), Record(12, b"k", b"v")]))
    assert run.last_offset == 12


def test_a_record_of_our_own_has_no_time_and_no_headers_unless_given():
    record = Record(0, None, None)
    assert (record.timestamp, tuple(record.headers)) == (0, ())
