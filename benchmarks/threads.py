"""What the threads of a worker cost: the event loop that decides, librdkafka's, and the others, which read and commit."""

import os
from pathlib import Path

Kind = str

KINDS: tuple[Kind, ...] = ("main", "librdkafka", "others")


def threads_s(pid: int) -> dict[int, tuple[Kind, float]]:
    """CPU seconds of each thread since it began, by its number; threads that end meanwhile are left out."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            name, _, rest = (task / "stat").read_text().partition("(")[2].rpartition(") ")
        except OSError:  # it has ended
            continue
        fields = rest.split()
        kind = "librdkafka" if name.startswith("rdk:") else "main" if int(task.name) == pid else "others"
        found[int(task.name)] = kind, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found


def by_kind_s(pid: int) -> dict[Kind, float]:
    """CPU seconds by kind of thread, of those that still run."""
    found: dict[Kind, float] = dict.fromkeys(KINDS, 0.0)
    for kind, seconds in threads_s(pid).values():
        found[kind] += seconds
    return {kind: round(seconds, 2) for kind, seconds in found.items()}
