"""Numbers that are written into audit blocks."""

from monitor.state.dispositions import Disposition, Flag


def test_dispositions_keep_their_numbers():
    assert {d.name: d.value for d in Disposition} == {"SCORED": 0, "DUPLICATE": 1, "REJECTED": 2}


def test_flags_keep_their_bits():
    names = ["LATE", "LATE_NOT_FOLDED", "CONFLICT", "RING_SATURATED", "FIRST", "EXPIRED"]
    assert {f.name: f.value for f in Flag} == {name: 1 << bit for bit, name in enumerate(names)}
