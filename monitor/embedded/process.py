"""A server process of ours: its output goes to a file, it listens on loopback, and it dies with us."""

import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path

from monitor.embedded import leash

STOP_TIMEOUT_S = 20.0


def free_ports(count: int) -> list[int]:
    """`count` different loopback ports that nothing listens on; all are held until the last is found."""
    held = [socket.socket() for _ in range(count)]
    try:
        for each in held:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in held]
    finally:
        for each in held:
            each.close()


def listens(port: int) -> bool:
    """Whether something accepts connections on the loopback port."""
    with closing(socket.socket()) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Process:
    """One child process and the leash that kills it if this process is killed; `directory` then goes too.

    `environment` None is this process's own.
    """

    def __init__(
        self, command: Sequence[str], log: Path, directory: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        # The leash stands ready first: between the child's birth and its number in the pipe there is no gap to be killed in.
        self._leash = subprocess.Popen(
            [sys.executable, "-I", "-S", leash.__file__, str(directory)],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            with log.open("ab") as output:
                # A session of its own: Ctrl-C in a terminal reaches the demo, which stops the broker last.
                self.popen = subprocess.Popen(
                    command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                    start_new_session=True,
                )  # fmt: skip
        except BaseException:
            self._release()
            raise
        assert self._leash.stdin is not None
        self._leash.stdin.write(b"%d\n" % self.popen.pid)
        self._leash.stdin.flush()

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self.popen.pid

    def ended(self) -> int | None:
        """The exit status, or None while it runs."""
        return self.popen.poll()

    def stop(self) -> None:
        """Ask it to end, and kill it when it has not after `STOP_TIMEOUT_S`."""
        self.popen.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.popen.wait(STOP_TIMEOUT_S)
        self.kill()

    def kill(self) -> None:
        """Kill it, as a machine that loses its power would, and wait until it is gone."""
        self.popen.kill()
        self.popen.wait()
        self._release()

    def _release(self) -> None:
        if self._leash.stdin is not None:
            self._leash.stdin.close()
        self._leash.wait()
