"""The race on a real Kafka: ours and peers of three kinds alert alike, and one that does not is found out."""

from dataclasses import replace

import pytest

from benchmarks.race.broker import RaceKafka
from benchmarks.race.field import FIELD
from benchmarks.race.job import Jobs
from benchmarks.race.measure import measure
from benchmarks.race.stream import Stream, load
from benchmarks.race.systems import Task
from monitor.embedded.kafka import available

pytestmark = [pytest.mark.kafka, pytest.mark.long, pytest.mark.timeout(600)]

COUNT = 5_000
TOPIC = "skewed-5000.transactions"
BY_TITLE = {system.title: system for system in FIELD}


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    can = available()
    if not can:
        pytest.skip(can.why)
    stream = Stream("skewed", COUNT, 100)
    job = Jobs(tmp_path_factory.mktemp("race")).make(stream, 0.05)
    with RaceKafka() as kafka:
        kafka.create(TOPIC)
        load(kafka.bootstrap, TOPIC, stream, COUNT)
        yield Task(kafka, job, TOPIC, COUNT, cpu=None, warm_s=1.0)


@pytest.mark.parametrize(
    "title",
    [
        "ours, exactly once, audited",
        "Kafka Streams, exactly_once_v2",
        "Kafka Streams, at_least_once",
        "Faust in batches, at least once",
    ],
)
def test_alerts_for_the_same_transactions(task, title):
    figures = measure(BY_TITLE[title], task)
    assert figures["alerts"] == len(task.job.due) > 200


def test_a_system_that_alerts_otherwise_ends_the_race(task):
    due = dict(task.job.due)
    due["T-never"] = due.pop(next(iter(due)))
    with pytest.raises(SystemExit, match=r"does not do the job: .* 1 alerts missing, first T-never; 1 alerts not due"):
        measure(BY_TITLE["Kafka Streams, exactly_once_v2"], replace(task, job=replace(task.job, due=due)))
