"""`make simulate` is a program of its own; it ends with a line that says how many histories and violations there were."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HISTORIES = 10_000


@pytest.mark.timeout(1200)
def test_ten_thousand_histories_are_without_violation_and_every_point_and_fault_is_met():
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation", "--histories", str(HISTORIES), "--seed", "1"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == f"{HISTORIES} histories, 0 violations"
    assert "never met" not in done.stdout
