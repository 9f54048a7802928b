"""One run of one system: how fast it does the middle of the topic, then the alerts of all of it against those due."""

from typing import Any

from benchmarks.middle import BEGIN, middle
from benchmarks.race.equality import differences, read_alerts
from benchmarks.race.field import System
from benchmarks.race.systems import Task
from benchmarks.reading import rss_mb

BEGIN_UNIFORM = 0.5
"""Then nearly all accounts have been met: before, memory that a process touches for the first time is what is measured, which a JVM has behind it."""


def measure(system: System, task: Task) -> dict[str, Any]:
    """Figures of the run. SystemExit when the system fails, or alerts otherwise than it should."""
    with system.start(task) as running:
        begin = BEGIN_UNIFORM if task.job.keys == "uniform" else BEGIN
        figures = middle(running, task.count, task.kafka.pid, begin=begin) | {"rss_mb": rss_mb(running.pid)}
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
