"""Whose time a sample is: by the function innermost on its stack, and nobody's while a thread just waits."""

import os
import threading

from benchmarks.profile import REST, counted, part_of
from benchmarks.threads import KINDS, by_kind_s, threads_s

LOOP = "run_forever (asyncio/base_events.py:607)"
EFFECTS = "_effects (monitor/pipeline.py:225)"


def test_a_sample_is_of_the_part_whose_function_stands_innermost():
    assert part_of([LOOP, EFFECTS, "_alerts (monitor/pipeline.py:268)", "encode (json.py:1)"]) == "alerts"
    assert part_of([LOOP, "_decide_run (monitor/partition.py:221)", "decode (monitor/wire/decode.py:69)"]) == "decode"
    assert part_of([LOOP]) == REST


def test_samples_are_counted_by_thread_and_those_that_wait_are_not():
    samples = [
        f"thread (7): MainThread;{LOOP};decode (monitor/wire/decode.py:69) 3",
        f"thread (7): MainThread;{LOOP};decode (monitor/wire/decode.py:71) 2",
        f"thread (7): MainThread;{LOOP};select (selectors.py:468) 90",
        "thread (8): monitor_0;commit (monitor/wire/transactions.py:74) 4",
    ]
    assert counted("\n".join(samples)) == {7: {"decode": 5}, 8: {"produce and commit": 4}}


def test_every_thread_of_a_process_is_of_one_kind():
    done = threading.Event()
    other = threading.Thread(target=done.wait)
    other.start()
    try:
        found = threads_s(os.getpid())
        assert found[os.getpid()][0] == "main"
        assert found[other.native_id or 0][0] == "others"
        assert set(by_kind_s(os.getpid())) == set(KINDS)
    finally:
        done.set()
        other.join()
