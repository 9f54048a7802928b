"""`python -m benchmarks.race` (`make bench`): ours and the peers take turns on one Kafka; the table is at the end.

One processor is the system's under test, with all its threads; another is the broker's and this program's. Every run is a fresh
installation over the same topic, checked for the same alerts; who alerts otherwise ends the race.
"""

import argparse
import json
import os
import tempfile
import uuid
from pathlib import Path
from typing import Any

from benchmarks.installation import say
from benchmarks.race import latency, report
from benchmarks.race.broker import PARTITIONS, RaceKafka
from benchmarks.race.field import EVERY_JOB, FIELD, System
from benchmarks.race.job import Job, Jobs
from benchmarks.race.measure import measure
from benchmarks.race.results import Results
from benchmarks.race.stream import SKEWED_ACCOUNTS, UNIFORM_ACCOUNTS, Stream, load
from benchmarks.race.systems import Task
from benchmarks.reading import BROKER_CPU, WORKER_CPU, pin

MOST_LONELY = 5_000
"""A second: up to here latency is also measured while all partitions but one are idle."""

RESULTS = Path(__file__).parents[1] / "results" / "latest.json"
WARM_S = 60.0
UNIFORM_TIMES = 4
BROKER_WARM_RATES = 2
"""Runs of the lowest rates that are not counted, before the first that are: the broker's JVM has to meet small transactions."""

SLOW, SLOW_SHARE, FAST_SHARE = 1_000, 0.5, 0.05
"""Up to so many transactions a second half of them are alerts, or there were too few to speak of quantiles."""


def main() -> None:
    options = arguments()
    os.sched_setaffinity(0, {BROKER_CPU})
    streams = {
        "skewed": Stream("skewed", options.events, SKEWED_ACCOUNTS),
        "uniform": Stream(
            "uniform", options.uniform_events or UNIFORM_TIMES * options.events, options.uniform_accounts
        ),
    }
    results = Results(options.output, options.add)
    with tempfile.TemporaryDirectory(prefix="monitor-race-") as directory, RaceKafka() as kafka:
        pin(kafka.pid, BROKER_CPU)
        jobs = Jobs(Path(directory))
        for keys in dict.fromkeys(each.split()[0] for each in options.jobs):
            stream = streams[keys]
            chosen = [each for each in options.jobs if each.split()[0] == keys]
            made = {each: jobs.make(stream, float(each.split()[1])) for each in chosen}
            take_turns(kafka, stream, made, options, results)
            if keys == "skewed":
                latencies(kafka, stream, jobs, options, results, options.rates)
            kafka.forget(keys)
        if not any(each.startswith("skewed") for each in options.jobs):
            latencies(kafka, streams["skewed"], jobs, options, results, options.rates)
        low = [rate for rate in options.rates if rate <= MOST_LONELY]
        if low:
            lonely = Stream("lonely", int(max(low) * (options.seconds + latency.WARM_S)), SKEWED_ACCOUNTS // PARTITIONS)
            latencies(kafka, lonely, jobs, options, results, low)
    report.write(options.output)
    say(f"figures in {options.output}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.race", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="of the skewed topic (default 1000000)")
    parser.add_argument(
        "--uniform-events", type=int, help=f"of the uniform topic (default {UNIFORM_TIMES} times --events)"
    )
    parser.add_argument("--uniform-accounts", type=int, default=UNIFORM_ACCOUNTS)
    parser.add_argument("--jobs", nargs="*", default=EVERY_JOB, metavar="'KEYS RATE'", help=", ".join(EVERY_JOB))
    parser.add_argument(
        "--systems", nargs="*", help=f"parts of titles: {', '.join(each.title for each in FIELD)}", default=[""]
    )
    parser.add_argument("--rates", type=int, nargs="*", default=[100, 5_000, 20_000], help="a second, for latency")
    parser.add_argument("--seconds", type=float, default=30, help="of latency a repeat and rate (default 30)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--warm", type=float, default=WARM_S, help="seconds a JVM warms up (default 60)")
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--add", action="store_true", help="to the runs that the output has already")
    return parser.parse_args()


def take_turns(
    kafka: RaceKafka, stream: Stream, jobs: dict[str, Job], options: argparse.Namespace, results: Results
) -> None:
    systems = chosen_systems(options)
    for repeat in range(options.repeats):
        for title, job in jobs.items():
            taking_part = [each for each in systems if title in each.jobs]
            for system in turned(taking_part, repeat):
                count = min(system.most or stream.count, stream.count)
                topic = topic_of(kafka, stream, count)
                task = Task(kafka, job, topic, count, WORKER_CPU, options.warm)
                figures = measure(system, task)
                results.add(title, system, figures)
                say(f"{title}: {system.title}: {line(figures)}")


def latencies(
    kafka: RaceKafka, stream: Stream, jobs: Jobs, options: argparse.Namespace, results: Results, rates: list[int]
) -> None:
    """Ours and Kafka Streams at each rate, in turn."""
    systems = [each for each in chosen_systems(options) if each.latency]
    most = max((int(rate * (options.seconds + latency.WARM_S)) for rate in rates), default=0)
    if most > stream.count:
        raise SystemExit(f"--events {stream.count}: {most} are needed for --rates {rates}")

    def seen(system: System, rate: int) -> tuple[float, dict[str, Any]]:
        share = SLOW_SHARE if rate <= SLOW else FAST_SHARE
        task = Task(
            kafka,
            jobs.make(stream, share),
            f"live-{uuid.uuid4().hex[:6]}.transactions",
            stream.count,
            WORKER_CPU,
            options.warm,
            warm_topic=topic_of(kafka, stream, stream.count),
            linger_ms=latency.LINGER_MS,
        )
        return share, latency.wait_and_see(system, task, stream, rate, options.seconds)

    for rate in sorted(rates)[:BROKER_WARM_RATES] if stream.keys == "skewed" else ():
        say(f"{rate}/s, not counted: {systems[0].title}: {line(seen(systems[0], rate)[1])}")
    for repeat in range(options.repeats):
        for rate in rates:
            for system in turned(systems, repeat):
                share, figures = seen(system, rate)
                results.add(f"{stream.keys} {share}", system, figures, rate)
                say(f"{rate}/s: {system.title}: {line(figures)}")


def chosen_systems(options: argparse.Namespace) -> list[System]:
    return [each for each in FIELD if any(part.lower() in each.title.lower() for part in options.systems)]


def turned(systems: list[System], repeat: int) -> list[System]:
    """Another one first each time."""
    at = repeat % max(len(systems), 1)
    return systems[at:] + systems[:at]


def topic_of(kafka: RaceKafka, stream: Stream, count: int) -> str:
    """The topic of the stream's first `count`, loaded once."""
    topic = f"{stream.keys}-{count}.transactions"
    if topic not in kafka.topics_of(topic):
        kafka.create(topic)
        load(kafka.bootstrap, topic, stream, count)
        say(f"{topic}: {count:,} transactions, {kafka.bytes_in(topic) >> 20} MiB")
    return topic


def line(figures: dict[str, Any]) -> str:
    return json.dumps(figures)


if __name__ == "__main__":
    main()
