"""Where a new installation begins, on a log in memory: a record's timestamp is its place in a list."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.wire.log import Tail
from monitor.wire.start import Start, StartOffsets, parse_start, resolve_start

LOW = 100
"""The first offset still in the log: retention took what was before."""


@dataclass
class Log:
    """Records from offset `LOW` on, with these timestamps."""

    times_ms: list[int]

    def watermarks(self, topic, partition):
        return LOW, LOW + len(self.times_ms)

    def first_from(self, topic, partition, offset):
        return Tail(LOW, b"", b"", self.times_ms[0]) if self.times_ms else None

    def offset_at_time(self, topic, partition, time_ms):
        return LOW + next((at for at, each in enumerate(self.times_ms) if each >= time_ms), len(self.times_ms))


EVERY_SECOND = Log([second * 1000 for second in range(60)])


@pytest.mark.parametrize(
    ("start", "warmup_s", "expected"),
    [
        (Start("earliest"), 0, (100, 100)),
        (Start("earliest"), 10, (100, 110)),
        (Start("earliest"), 3600, (100, 160)),
        (Start("latest"), 0, (160, 160)),
        (Start("latest"), 10, (150, 160)),
        (Start("latest"), 3600, (100, 160)),
        (Start("time", 30_000), 0, (130, 130)),
        (Start("time", 29_001), 0, (130, 130)),
        (Start("time", 30_000), 10, (120, 130)),
        (Start("time", 999_000), 10, (160, 160)),
        (Start("time", 0), 10, (100, 100)),
    ],
)
def test_a_start_means_these_offsets(start, warmup_s, expected):
    assert resolve_start(EVERY_SECOND, "transactions", 0, start, warmup_s, now_ms=60_000) == StartOffsets(*expected)


@pytest.mark.parametrize("start", [Start("earliest"), Start("latest"), Start("time", 5)])
@pytest.mark.parametrize("warmup_s", [0, 60])
def test_an_empty_log_begins_where_it_will_grow(start, warmup_s):
    assert resolve_start(Log([]), "transactions", 0, start, warmup_s, now_ms=10**12) == StartOffsets(LOW, LOW)


@given(
    times=st.lists(st.integers(0, 10**6), max_size=30),
    start=st.one_of(
        st.sampled_from([Start("earliest"), Start("latest")]), st.builds(Start, st.just("time"), st.integers(0, 10**6))
    ),
    warmup_s=st.integers(0, 500),
)
def test_a_warm_up_never_alerts_on_what_is_not_read(times, start, warmup_s):
    """Also where timestamps go back: producers set them."""
    found = resolve_start(Log(times), "transactions", 0, start, warmup_s, now_ms=10**6)
    assert LOW <= found.read_from <= found.alerts_from <= LOW + len(times)


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("earliest", Start("earliest")),
        ("latest", Start("latest")),
        ("1970-01-01T00:00:01Z", Start("time", 1000)),
        ("2026-01-31T01:00:00+01:00", Start("time", 1_769_817_600_000)),
    ],
)
def test_a_start_is_read_from_text(text, start):
    assert parse_start(text) == start


@pytest.mark.parametrize("text", ["", "Earliest", "yesterday", "2026-13-01T00:00:00Z"])
def test_other_texts_are_refused_with_an_example(text):
    with pytest.raises(ValueError, match="2026-01-31T00:00:00Z"):
        parse_start(text)


@pytest.mark.parametrize("text", ["2026-01-31", "2026-01-31T00:00:00"])
def test_a_time_without_a_zone_is_refused(text):
    with pytest.raises(ValueError, match="zone"):
        parse_start(text)
