"""`make simulate` is a program of its own; it ends with a line that says how many histories and violations there were."""

import subprocess
import sys
from pathlib import Path

SIMULATION = Path(__file__).parent


def test_histories_of_crashes_are_without_violation_and_every_crash_point_is_hit():
    done = subprocess.run(
        [sys.executable, str(SIMULATION), "--histories", "300", "--seed", "7"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "300 histories, 0 violations"
    assert done.stdout.count(" crashes ") == 3
