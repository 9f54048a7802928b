"""One run of one system: how fast it does the middle of the topic, then the alerts of all of it against those due."""

import time
from typing import Any

from benchmarks.race.equality import differences, read_alerts
from benchmarks.race.field import System
from benchmarks.race.systems import Running, Task
from benchmarks.reading import cpu_seconds, rss_mb

TICK_S = 0.01
"""What /proc counts in."""

POLL_S, MOST_POLL_S = 0.02, 1.0
BEGIN, END = 0.1, 0.95
"""Shares of the topic done when the clock starts and stops: everybody has read ahead at both, so neither counts work done before."""

PATIENCE_S = 900.0
"""Without a record done, after which a run is given up."""


def measure(system: System, task: Task) -> dict[str, Any]:
    """Figures of the run. SystemExit when the system fails, or alerts otherwise than it should."""
    with system.start(task) as running:
        figures = _race(running, task)
        running.finish()
        found = read_alerts(task.kafka.bootstrap, running.alerts, running.read)
        wrong = differences(found, task.job.due_of(task.count), system.tolerance)
        figures |= {
            "alerts": len(found),
            "broker_bytes_per_event": round(task.kafka.bytes_in(running.name) / task.count, 1),
        }
    task.kafka.forget(running.name)
    if wrong:
        raise SystemExit(f"{system.title} does not do the job: of {task.count:,} transactions, {'; '.join(wrong)}")
    return figures


def _race(running: Running, task: Task) -> dict[str, Any]:
    first = _until(running, max(int(task.count * BEGIN), 1))
    began_s, began_cpu, broker_cpu = time.monotonic(), cpu_seconds(running.pid), cpu_seconds(task.kafka.pid)
    last = _until(running, int(task.count * END))
    wall_s, cpu_s = time.monotonic() - began_s, cpu_seconds(running.pid) - began_cpu
    broker_cpu_share = (cpu_seconds(task.kafka.pid) - broker_cpu) / wall_s
    _until(running, task.count)
    return {
        "events": last - first,
        "wall_s": round(wall_s, 3),
        "cpu_s": round(cpu_s, 2),
        "events_per_s": round((last - first) / wall_s),
        "events_per_cpu_s": round((last - first) / max(cpu_s, TICK_S)),
        "rss_mb": rss_mb(running.pid),
        "broker_cpu_share": round(broker_cpu_share, 2),
    }


def _until(running: Running, wanted: int) -> int:
    """Asks seldom while much is left: ours answers by HTTP, from the time that is measured."""
    began_s = moved_s = time.monotonic()
    first = seen = running.done()
    while (done := running.done()) < wanted:
        now_s = time.monotonic()
        if done != seen:
            moved_s, seen = now_s, done
        if now_s - moved_s > PATIENCE_S:
            raise SystemExit(f"{running.name}: stands still at {done} of {wanted} records")
        left_s = (wanted - done) * (now_s - began_s) / (done - first) if done > first else 0.0
        time.sleep(min(max(left_s / 4, POLL_S), MOST_POLL_S))
    return done
