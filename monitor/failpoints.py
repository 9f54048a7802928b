"""Named places of the protocol at which a test may kill the process: where a crash is worth the most.

Nothing happens at them unless `failpoints` is set, which only tests of the product do; the simulation stands at the same places.
"""

import os
import signal
from collections import Counter
from collections.abc import Callable

from monitor.errors import SettingsError

POINTS = (
    "fenced",  # the partition's writer is ours; nothing is read yet
    "tails_read",  # where audit and changelog end is known
    "taken",  # all checks passed, a new installation has its genesis block
    "state_loaded",  # the accounts are in memory; nothing is decided yet
    "run_decided",  # accounts in memory are changed; nothing is written
    "run_produced",  # everything is at the broker, in a transaction that is still open
    "run_committed",  # the transaction is committed; nothing is acknowledged
    "run_acked",  # the run's chunks are acknowledged
    "revoked",  # the partition is given up, its run in flight has ended
)
"""In the order a partition lives them."""

ACTIONS = ("kill", "stop", "exit")
"""kill: SIGKILL; stop: SIGSTOP, as a machine that hangs; exit: leave at once, with exit code 70."""

Reach = Callable[[str], None]
"""Called at each point, with its name."""


def pass_by(_point: str) -> None:
    """What happens at a failpoint in production: nothing."""


def parse_failpoints(text: str) -> dict[str, tuple[str, int]]:
    """`run_committed:kill:20,fenced:stop:1` -> `{"run_committed": ("kill", 20), ...}`: what to do, at which passing.

    Raises ValueError for anything else.
    """
    armed: dict[str, tuple[str, int]] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        point, action, count = (*part.split(":"), "1", "1")[:3] if part.count(":") in (1, 2) else ("", "", "")
        if point not in POINTS or action not in ACTIONS or not count.isdecimal() or not int(count):
            raise ValueError(
                f"{part!r} must be POINT:ACTION or POINT:ACTION:COUNT, with a point of {', '.join(POINTS)} and an action of {', '.join(ACTIONS)}"
            )
        armed[point] = (action, int(count))
    return armed


def arm(text: str) -> Reach:
    """What to call at each point, for the setting `failpoints`. Raises `SettingsError`."""
    try:
        armed = parse_failpoints(text)
    except ValueError as error:
        raise SettingsError(f"failpoints = {text}: {error}") from None
    if not armed:
        return pass_by
    passed: Counter[str] = Counter()

    def reach(point: str) -> None:
        passed[point] += 1
        action, count = armed.get(point, ("", 0))
        if passed[point] != count:
            return
        if action == "exit":
            os._exit(70)
        os.kill(os.getpid(), signal.SIGKILL if action == "kill" else signal.SIGSTOP)

    return reach
