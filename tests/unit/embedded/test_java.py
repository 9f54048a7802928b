"""Finding a Java that is new enough."""

import os
import stat

import pytest

from monitor.embedded.java import find_java, major_version


@pytest.fixture(autouse=True)
def _look_anew():
    find_java.cache_clear()
    yield
    find_java.cache_clear()


def pretend_java(directory, banner):
    """A `java` that says it is some version."""
    program = directory / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho '{banner}' >&2\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


@pytest.mark.parametrize(
    ("banner", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_402"', 8),
        ('openjdk version "25" 2025-09-16', 25),
        ("command not found", None),
    ],
)
def test_the_major_version_is_read_from_the_banner(banner, major):
    assert major_version(banner) == major


def test_java_home_comes_before_the_path(tmp_path, monkeypatch):
    wanted = pretend_java(tmp_path / "home", 'openjdk version "21.0.1"')
    other = pretend_java(tmp_path / "other", 'openjdk version "17.0.1"')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(other.parent) + os.pathsep + os.environ["PATH"])
    assert find_java() == wanted


def test_a_java_that_is_too_old_is_passed_over(tmp_path, monkeypatch):
    pretend_java(tmp_path / "home", 'java version "1.8.0_402"')
    wanted = pretend_java(tmp_path / "other", 'openjdk version "17.0.1"')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(wanted.parent) + os.pathsep + os.environ["PATH"])
    assert find_java() == wanted
