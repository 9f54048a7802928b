"""A history is what its seed says, and nothing else."""

import os
import subprocess
import sys
from pathlib import Path

from monitor.failpoints import POINTS
from tests.simulation import faults
from tests.simulation.history import WORKERS, run
from tests.simulation.streams import STREAMS, stream


def test_a_seed_gives_the_same_history_again():
    first, again = run(77), run(77)
    assert first.problems == again.problems == []
    assert first.tally.kinds == again.tally.kinds
    assert first.tally.exits == again.tally.exits
    assert first.events == again.events > 100


def test_a_seed_gives_the_same_history_in_another_process_whatever_the_hashes_of_strings_are_there():
    seeds = [1 + STREAMS * turn for turn in range(60)]
    program = f"from tests.simulation.history import run; print([run(seed).events for seed in {seeds}])"
    events = {
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True,
            env=os.environ | {"PYTHONHASHSEED": hashes},
        ).stdout for hashes in ("1", "2")
    }  # fmt: skip
    assert len(events) == 1


def test_seeds_give_different_histories_of_one_stream():
    assert len({run(5 + STREAMS * turn).events for turn in range(5)}) > 3


def test_a_history_has_two_hundred_records_two_partitions_two_workers_and_a_fault():
    for number in range(5):
        source = stream(number)
        assert len(source.partitions) >= 2
        assert sum(len(part.decisions) > 0 for part in source.expected) >= 2
        assert source.records >= 200
        tally = run(number).tally
        assert sum(tally.kinds[kind] for kind in faults.TIMED) + tally.points.total() >= 1
    assert WORKERS >= 2


def test_a_tally_names_each_point_and_fault_that_never_happened():
    missing = faults.Tally().missing()
    assert set(POINTS) | set(faults.KINDS) == set(missing)
