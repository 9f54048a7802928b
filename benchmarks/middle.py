"""How fast something decides the middle of a loaded topic: wall time, CPU seconds and transactions, from one share of it to another."""

import time
from typing import Any, Protocol

from benchmarks.reading import cpu_seconds

TICK_S = 0.01
"""What /proc counts in."""

POLL_S, MOST_POLL_S = 0.02, 1.0
BEGIN, END = 0.1, 0.95
"""Shares of the topic done when the clock starts and stops: everybody has read ahead at both, so neither counts work done before."""

PATIENCE_S = 900.0
"""Without a record done, after which a run is given up."""


class Doing(Protocol):
    """A process that says how far it is."""

    @property
    def pid(self) -> int: ...

    def done(self) -> int:
        """Records done. SystemExit when the process has left."""
        ...


def middle(doing: Doing, count: int, broker: int, before: int = 0, begin: float = BEGIN) -> dict[str, Any]:
    """Figures of the middle of `count` records that come after `before` others, from their share `begin` on; returns when all are done.

    `broker`: its process.
    """
    first = until(doing, before + max(int(count * begin), 1))
    began_s, began_cpu, began_broker = time.monotonic(), cpu_seconds(doing.pid), cpu_seconds(broker)
    last = until(doing, before + int(count * END))
    wall_s, cpu_s = time.monotonic() - began_s, cpu_seconds(doing.pid) - began_cpu
    broker_s = cpu_seconds(broker) - began_broker
    until(doing, before + count)
    return {
        "events": last - first,
        "wall_s": round(wall_s, 3),
        "cpu_s": round(cpu_s, 2),
        "events_per_s": round((last - first) / wall_s),
        "events_per_cpu_s": round((last - first) / max(cpu_s, TICK_S)),
        "broker_cpu_share": round(broker_s / wall_s, 2),
    }


def until(doing: Doing, wanted: int) -> int:
    """Asks seldom while much is left: a worker answers by HTTP, from the time that is measured."""
    began_s = moved_s = time.monotonic()
    first = seen = doing.done()
    while (done := doing.done()) < wanted:
        now_s = time.monotonic()
        if done != seen:
            moved_s, seen = now_s, done
        if now_s - moved_s > PATIENCE_S:
            raise SystemExit(f"process {doing.pid}: stands still at {done} of {wanted} records")
        left_s = (wanted - done) * (now_s - began_s) / (done - first) if done > first else 0.0
        time.sleep(min(max(left_s / 4, POLL_S), MOST_POLL_S))
    return done
