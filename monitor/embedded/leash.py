"""A broker must not outlive the program that started it, however that program ends.

Run as a script (`python leash.py DIRECTORY`) in a session of its own, with the broker's process id as the first line of its
standard input. When that pipe closes, because its only writer stopped or was killed, the broker is killed and DIRECTORY removed.
When the broker ends by itself, the leash ends too. It imports nothing of the monitor, so that it starts in milliseconds.
"""

import os
import select
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path


def hold(directory: Path) -> None:
    """Wait for whichever comes first, the end of the pipe or the end of the process named in its first line."""
    line = os.read(0, 32)
    if not line:
        return  # the owner was gone before it had a process to name
    try:
        process = os.pidfd_open(int(line))  # a number may be given to another process later, a pidfd never
    except ProcessLookupError:
        return
    with suppress(OSError):
        select.select([0, process], [], [])
    if not select.select([process], [], [], 0)[0]:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(process, signal.SIGKILL)
        select.select([process], [], [], 10)
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    hold(Path(sys.argv[1]))
