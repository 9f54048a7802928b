"""Records and runs."""

from monitor.wire.records import Record, Run


def test_a_run_ends_at_the_offset_of_its_last_record_whatever_the_gaps():
    run = Run("transactions", 0, 4, [Record(7, b"k", b"v"), Record(12, b"k", b"v")])
    assert run.last_offset == 12


def test_a_record_of_our_own_has_no_time_and_no_headers_unless_given():
    record = Record(0, None, None)
    assert (record.timestamp, tuple(record.headers)) == (0, ())
