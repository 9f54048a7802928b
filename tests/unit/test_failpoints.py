"""Failpoints do nothing until they are armed, and then what they are told, at the passing they are told."""

import os
import signal
import subprocess
import sys

import pytest

from monitor import failpoints
from monitor.errors import SettingsError
from monitor.failpoints import POINTS, arm, parse_failpoints, pass_by

PASS = (
    "from monitor.failpoints import arm\nreach = arm({!r})\nfor _ in range({}): reach('run_committed')\nprint('alive')"
)


def passing(text, times):
    """A process that passes run_committed so many times."""
    return subprocess.run(
        [sys.executable, "-c", PASS.format(text, times)], capture_output=True, text=True, check=False, env=os.environ
    )


def test_unset_they_cost_nothing_and_do_nothing():
    assert arm("") is pass_by


def test_a_point_kills_at_the_passing_it_is_told_and_not_before():
    assert passing("run_committed:kill:3", 2).stdout == "alive\n"
    assert passing("run_committed:kill:3", 3).returncode == -signal.SIGKILL


def test_a_point_exits_at_once():
    done = passing("fenced:kill,run_committed:exit", 1)
    assert (done.returncode, done.stdout) == (70, "")


def test_a_stop_freezes_the_process(monkeypatch):
    sent = []
    monkeypatch.setattr(failpoints.os, "kill", lambda _pid, what: sent.append(what))
    reach = arm("revoked:stop:2")
    for _ in range(4):
        reach("revoked")
    assert sent == [signal.SIGSTOP]


@pytest.mark.parametrize("point", POINTS)
def test_every_point_can_be_armed(point):
    assert parse_failpoints(f"{point}:kill:7") == {point: ("kill", 7)}


@pytest.mark.parametrize("text", ["run_committed", "nowhere:kill:1", "fenced:explode:1", "fenced:kill:0", "fenced:kill:x", "a:b:c:d"])  # fmt: skip
def test_what_means_nothing_is_refused_with_what_would(text):
    with pytest.raises(SettingsError, match="POINT:ACTION"):
        arm(text)
