"""Who runs: ours, and each peer as its experts would run it. A `System` starts one process that does a job over a topic."""

import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from benchmarks.installation import Installation
from benchmarks.race.broker import PARTITIONS, RaceKafka
from benchmarks.race.equality import ReadAlert, our_alert, peers_alert
from benchmarks.race.job import Job
from benchmarks.race.progress import Counted
from benchmarks.rules import text_of
from monitor.rules.stored import publish
from monitor.versions import CURRENT, set_pointer

ROOT = Path(__file__).parents[2]
EVERYTHING_ON = Path(__file__).with_name("everything-on.toml")

PIN = "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])}); os.execvp(sys.argv[2], sys.argv[2:])"
"""Before it starts, so that every thread inherits it. A JVM then takes what it takes on one processor: the serial collector."""


@dataclass(frozen=True, slots=True)
class Task:
    """One run: the job over `topic` of `count` records. `cpu` None: anywhere.

    `warm_s`: of a JVM, over `warm_topic` of `count` records, None: `topic` itself. `linger_ms` of its producer, None: the framework's.
    """

    kafka: RaceKafka
    job: Job
    topic: str
    count: int
    cpu: int | None
    warm_s: float
    warm_topic: str | None = None
    linger_ms: int | None = None


class Running(Protocol):
    """A system at work. The names of all topics it writes have `name` in them."""

    name: str
    alerts: str

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...

    @property
    def pid(self) -> int: ...

    @property
    def read(self) -> ReadAlert: ...

    def done(self) -> int:
        """Records done that count. SystemExit when the process has left."""
        ...

    def ready(self) -> bool:
        """Whether it takes records that count, or soon does."""
        ...

    def finish(self) -> None:
        """Let it end as it does in a deployment: what it has decided is written."""
        ...


class Ours:
    """`python -m monitor run` with everything on."""

    read: ReadAlert = staticmethod(our_alert)

    def __init__(self, task: Task) -> None:
        source = task.topic.removesuffix(".transactions")
        self._installation = Installation(task.kafka.bootstrap, PARTITIONS, topics=source)
        self.name = self._installation.name
        self.alerts = self._installation.settings.topic_alerts
        models = task.job.directory / "models"
        self.worker = self._installation.start(
            cpu=task.cpu, config=EVERYTHING_ON, models_dir=models, rules_dir=self.rules_of(task)
        )

    def rules_of(self, task: Task) -> Path:
        """Where its rules are looked for: none are there."""
        return task.job.directory / "rules"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._installation.__exit__()

    @property
    def pid(self) -> int:
        return self.worker.pid

    def done(self) -> int:
        return self.worker.done()

    def ready(self) -> bool:
        return len(self.worker.recovered()) == PARTITIONS

    def finish(self) -> None:
        self.worker.stop()


class OursWithRules(Ours):
    """The same with fifty rules (those of `benchmarks.rules`), whose bands nobody reaches: alerts stay the same."""

    def rules_of(self, task: Task) -> Path:
        directory = task.job.directory / "fifty-rules"
        if not directory.exists():
            file = task.job.directory / "rules.toml"
            file.write_text(text_of(50, least=1_000_000))
            publish(directory, file)
            set_pointer(directory, CURRENT, "benchmark")
        return directory


@dataclass(frozen=True, slots=True)
class Parts:
    """What a peer's command is made of."""

    task: Task
    name: str
    alerts: str
    warm_alerts: str
    progress: Path
    directory: Path


class Peer:
    """A process that says in a file how far it is."""

    read: ReadAlert = staticmethod(peers_alert)

    def __init__(self, task: Task, command: Callable[[Parts], Sequence[str]]) -> None:
        self.name = f"race-{uuid.uuid4().hex[:6]}"
        self.alerts, warm_alerts = f"{self.name}-alerts", f"{self.name}-warm-alerts"
        task.kafka.create(self.alerts, warm_alerts)
        self._directory = Path(tempfile.mkdtemp(prefix="monitor-race-"))
        progress = self._directory / "progress"
        parts = Parts(task, self.name, self.alerts, warm_alerts, progress, self._directory)
        pinned = [sys.executable, "-c", PIN, str(task.cpu)] if task.cpu is not None else []
        environment: Mapping[str, str] = os.environ | {"PYTHONPATH": str(ROOT)}
        self._process = Counted([*pinned, *command(parts)], self._directory, progress, environment)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def pid(self) -> int:
        return self._process.pid

    def done(self) -> int:
        return self._process.done()

    def ready(self) -> bool:
        return self._process.ready()

    def finish(self) -> None:
        self._process.stop()
