"""The field: which systems take part, in which mode, on which jobs, over how much of the topic, and how exactly they must agree."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.peers import environments, kafka_streams
from benchmarks.race.equality import EXACT, SCIKIT
from benchmarks.race.systems import Ours, OursWithRules, Parts, Peer, Running, Task

EVERY_JOB = ("skewed 0.005", "skewed 0.05", "uniform 0.005", "uniform 0.05")
FIRST_JOB = EVERY_JOB[:1]


@dataclass(frozen=True, slots=True)
class System:
    """`most` records of the topic, None for all: who does 100 a second is not asked for a million. `jobs`: keys and share of alerts.

    `latency`: whether that is measured, too.
    """

    name: str
    mode: str
    start: Callable[[Task], Running]
    most: int | None = None
    jobs: Sequence[str] = EVERY_JOB
    tolerance: float = EXACT
    latency: bool = False

    @property
    def title(self) -> str:
        return f"{self.name}, {self.mode}"


def peer(command: Callable[[Parts], Sequence[str]]) -> Callable[[Task], Running]:
    return lambda task: Peer(task, command)


def streams(guarantee: str) -> Callable[[Task], Running]:
    """The Processor in Java; see benchmarks/peers/kafka_streams.

    With the record cache where accounts come again before it is flushed, without where they do not: each is the faster one there.
    """

    def command(parts: Parts) -> list[str]:
        task = parts.task
        return [
            *kafka_streams.java(*([] if task.linger_ms is None else [f"race.linger={task.linger_ms}"])),
            task.kafka.bootstrap,
            guarantee,
            parts.name,
            task.topic,
            parts.alerts,
            parts.warm_alerts,
            str(task.job.directory / "job.bin"),
            str(parts.progress),
            task.warm_topic or task.topic,
            str(task.count),
            str(task.warm_s),
            str(not task.job.version.startswith("race-1.uniform")).lower(),
        ]

    return peer(command)


def python(module: str, *, packages: Sequence[str] = ()) -> Callable[[Task], Running]:
    """A peer in Python, in our environment or in one of its own that has `packages`."""

    def command(parts: Parts) -> list[str]:
        task = parts.task
        interpreter = str(environments.python_with(packages)) if packages else sys.executable
        return [
            interpreter,
            "-m",
            module,
            task.kafka.bootstrap,
            parts.name,
            task.topic,
            parts.alerts,
            str(task.job.directory),
            str(parts.progress),
            str(parts.directory),
        ]

    return peer(command)


QUIX = ("quixstreams==3.28.1", "numpy==2.4.6", "numba==0.68.1", "fastavro==1.13.1")
BYTEWAX = ("bytewax[kafka]==0.21.1", "numpy==2.4.6", "numba==0.68.1", "fastavro==1.13.1")

FIELD: tuple[System, ...] = (
    System("ours", "exactly once, audited", Ours, latency=True),
    System("ours", "exactly once, audited, fifty rules", OursWithRules, latency=True),
    System("Kafka Streams", "exactly_once_v2", streams("exactly_once_v2"), latency=True),
    System("Kafka Streams", "at_least_once", streams("at_least_once"), latency=True),
    System("Faust in batches", "at least once", python("benchmarks.peers.faust_batched"), most=100_000, jobs=FIRST_JOB),
    System(
        "Bytewax",
        "at least once",
        python("benchmarks.peers.bytewax_flow", packages=BYTEWAX),
        most=200_000,
        jobs=FIRST_JOB,
    ),
    System(
        "Quix Streams", "at least once", python("benchmarks.peers.quix", packages=QUIX), most=200_000, jobs=FIRST_JOB
    ),
    System(
        "plain Faust",
        "at least once",
        python("benchmarks.peers.faust_plain"),
        most=3_000,
        jobs=FIRST_JOB,
        tolerance=SCIKIT,
    ),
)
