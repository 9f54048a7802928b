"""Child processes, and the leash that they cannot slip."""

import os
import select
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from monitor.embedded import leash
from monitor.embedded.process import Process, free_ports, listens

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
OWNER = """
import sys, time
from pathlib import Path
from monitor.embedded.process import Process
directory = Path(sys.argv[1])
child = Process([sys.executable, "-c", "import time; time.sleep(600)"], directory / "log", directory)
print(child.pid, flush=True)
time.sleep(600)
"""


def gone_within(pidfd, seconds):
    """Whether a process ends within a time."""
    return bool(select.select([pidfd], [], [], seconds)[0])


def test_a_stopped_process_is_gone_and_its_status_is_known(tmp_path):
    process = Process(SLEEPER, tmp_path / "log", tmp_path / "data")
    assert process.ended() is None
    process.stop()
    assert process.ended() == -signal.SIGTERM


def test_a_process_that_ignores_the_request_to_end_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr("monitor.embedded.process.STOP_TIMEOUT_S", 0.05)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open('ready', 'w'); time.sleep(600)"
    monkeypatch.chdir(tmp_path)
    process = Process([sys.executable, "-c", deaf], tmp_path / "log", tmp_path / "data")
    while not Path("ready").exists():
        assert process.ended() is None
    process.stop()
    assert process.ended() == -signal.SIGKILL


def test_what_a_process_writes_is_in_its_log(tmp_path):
    process = Process([sys.executable, "-c", "print('hello')"], tmp_path / "log", tmp_path / "data")
    process.popen.wait(30)
    process.kill()
    assert (tmp_path / "log").read_text() == "hello\n"


def test_a_process_and_its_directory_do_not_outlive_an_owner_that_is_killed():
    directory = Path(tempfile.mkdtemp(prefix="monitor-leash-"))
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(directory)], stdout=subprocess.PIPE, text=True)
    child = os.pidfd_open(int(owner.stdout.readline()))
    try:
        assert not gone_within(child, 0)
        owner.kill()
        owner.wait()
        assert gone_within(child, 20)
    finally:
        os.close(child)
        owner.stdout.close()
    # the leash removes the directory after the child is gone, and ends; nothing else tells when it has
    with_timeout = subprocess.run(
        ["timeout", "20", "sh", "-c", f"while [ -d {directory} ]; do sleep 0.05; done"], check=False
    )
    assert with_timeout.returncode == 0


def test_a_leash_leaves_a_process_alone_that_ends_by_itself(tmp_path):
    """Its number may be another process's by the time the owner ends."""
    kept = tmp_path / "kept"
    kept.mkdir()
    process = Process([sys.executable, "-c", "pass"], tmp_path / "log", kept)
    process.popen.wait(30)
    assert process._leash.wait(20) == 0
    process.kill()
    assert kept.is_dir()


def test_a_leash_whose_owner_named_no_process_ends(tmp_path, monkeypatch):
    reading, writing = os.pipe()
    os.close(writing)
    saved = os.dup(0)
    try:
        os.dup2(reading, 0)
        leash.hold(tmp_path)
    finally:
        os.dup2(saved, 0)
        os.close(saved)
        os.close(reading)
    assert tmp_path.is_dir()


def test_free_ports_are_different_and_nothing_listens_on_them():
    ports = free_ports(5)
    assert len(set(ports)) == 5
    assert not any(listens(port) for port in ports)
