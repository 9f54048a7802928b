"""The cache of fetched files, with a small program in Maven's place: what is tested is the cache, not Maven."""

import stat
import threading

import pytest

from monitor.embedded import maven
from monitor.errors import BrokerError


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "fraud-monitor"


@pytest.fixture
def pretend_maven(tmp_path, monkeypatch):
    """Puts a `mvn` on the PATH that runs a shell script, with the output directory as $out."""
    directory = tmp_path / "bin"
    directory.mkdir()

    def install(script):
        program = directory / "mvn"
        program.write_text(
            '#!/bin/sh\nfor a; do case "$a" in -DoutputDirectory=*) out="${a#*=}";; esac; done\n' + script
        )
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{directory}:/usr/bin:/bin")

    return install


def test_files_are_fetched_once_and_then_come_from_the_cache(cache, pretend_maven, tmp_path):
    pretend_maven(f'echo x >> "{tmp_path}/calls"; touch "$out/a.jar"')
    first = maven.fetch("thing-1", "copy", [])
    assert maven.fetch("thing-1", "copy", []) == first == cache / "thing-1"
    assert [each.name for each in first.iterdir()] == ["a.jar"]
    assert (tmp_path / "calls").read_text().count("x") == 1


def test_a_fetch_that_fails_leaves_nothing_that_looks_complete_and_says_why(cache, pretend_maven):
    pretend_maven('touch "$out/half.jar"; echo "no route to the repository"; exit 1')
    with pytest.raises(BrokerError, match="no route to the repository"):
        maven.fetch("thing-1", "copy", [])
    assert maven.fetched("thing-1") is None
    assert [each.name for each in cache.iterdir()] == ["thing-1.lock"]


def test_an_unpacking_that_fails_leaves_nothing_that_looks_complete(cache, pretend_maven):
    pretend_maven('touch "$out/a.tar"')

    def break_off(_):
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        maven.fetch("thing-1", "copy", [], complete=break_off)
    assert maven.fetched("thing-1") is None


def test_two_that_fetch_at_once_share_one_fetch(cache, pretend_maven, tmp_path):
    pretend_maven(f'echo x >> "{tmp_path}/calls"; sleep 0.2; touch "$out/a.jar"')
    found = []
    both = [threading.Thread(target=lambda: found.append(maven.fetch("thing-1", "copy", []))) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert found == [cache / "thing-1"] * 2
    assert (tmp_path / "calls").read_text().count("x") == 1


def test_without_maven_the_message_says_what_to_install(cache, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BrokerError, match="install Maven"):
        maven.fetch("thing-1", "copy", [])
