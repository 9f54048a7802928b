"""Runs are cut from what waits; a record that ends the worker is found in few attempts and few runs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.cutting import ALONE_AFTER, SMALL_RUN, Cutting, quarantine_command
from monitor.wire.records import Record, Records

MOST = 3_000


def records(offsets):
    return Records.of([Record(offset, b"key", b"value") for offset in offsets])


def sizes(runs):
    return [len(run) for run in runs]


@given(
    st.lists(st.integers(1, 3), min_size=1, max_size=300),
    st.integers(1, 5),
    st.integers(1, 400),
    st.integers(0, 20),
)
def test_every_record_is_in_one_run_and_in_order(steps, attempts, most, behind):
    offsets = [behind + sum(steps[: at + 1]) for at in range(len(steps))]
    cutting = Cutting(0, most)
    cutting.beware(attempts, behind + 1)
    runs = list(cutting.cut(records(offsets)))
    assert [offset for run in runs for offset in run.offsets.tolist()] == offsets
    assert max(sizes(runs)) <= most


def test_the_first_attempt_cuts_as_large_as_may_be():
    cutting = Cutting(0, MOST)
    cutting.beware(1, 0)
    assert sizes(cutting.cut(records(range(7_000)))) == [3_000, 3_000, 1_000]


def test_the_second_cuts_small_where_the_first_may_have_ended():
    cutting = Cutting(0, MOST)
    cutting.beware(2, 0)
    assert sizes(cutting.cut(records(range(7_000)))) == [SMALL_RUN, SMALL_RUN, MOST + 1 - 2 * SMALL_RUN, 3_000, 999]


def test_after_the_third_the_records_of_a_small_run_are_alone_and_named(caplog):
    cutting = Cutting(2, MOST)
    cutting.beware(ALONE_AFTER + 1, 10)
    found = sizes(cutting.cut(records(range(10, 5_000))))
    assert found[: SMALL_RUN + 1] == [1] * (SMALL_RUN + 1)
    assert found[SMALL_RUN + 1 :] == [SMALL_RUN, MOST - 2 * SMALL_RUN, 1_989]
    assert quarantine_command(2, 10) in caplog.text


@pytest.mark.parametrize("poison", [0, 1, 700, 1_024, 2_999, 3_000, 5_000])
def test_a_record_that_ends_the_worker_is_alone_after_four_attempts_at_its_run(poison):
    """A worker that dies of it, again and again: the position moves with each committed run, and attempts are counted at it."""
    position, attempts = 0, 0
    for _ in range(12):
        attempts += 1
        cutting = Cutting(0, MOST)
        cutting.beware(attempts, position)
        for run in cutting.cut(records(range(position, 8_000))):
            if run.first_offset <= poison <= run.last_offset:
                break
            position, attempts = run.last_offset + 1, 0
        if run.first_offset == poison == run.last_offset:
            return
    raise AssertionError(f"not found: the worker still ends in a run of {len(run)}")
