"""A kernel compiled from other sources is never run."""

import shutil
from pathlib import Path

import monitor
from monitor.kernel_cache import VARIABLE, sources_digest, use_own_directory

PACKAGE = Path(monitor.__file__).parent


def copied(tmp_path):
    return Path(shutil.copytree(PACKAGE, tmp_path / "monitor", ignore=shutil.ignore_patterns("__pycache__", "*.nb?")))


def test_a_change_of_any_source_that_kernels_are_made_of_is_another_directory(tmp_path):
    package = copied(tmp_path)
    before = sources_digest(package)
    assert before == sources_digest(PACKAGE)
    hashing = package / "wire" / "hashing.py"
    hashing.write_text(hashing.read_text() + "# changed\n")
    assert sources_digest(package) != before


def test_the_directory_stands_below_the_one_the_environment_names():
    environ = {VARIABLE: "/kernels"}
    use_own_directory(environ)
    assert environ[VARIABLE] == f"/kernels/{sources_digest(PACKAGE)}"


def test_a_child_process_that_inherits_the_directory_uses_the_same():
    environ = {"HOME": "/home/somebody"}
    use_own_directory(environ)
    once = dict(environ)
    use_own_directory(environ)
    assert environ == once
    assert environ[VARIABLE].startswith("/home/somebody/.cache/fraud-monitor/numba/")
