"""A whole installation on the real Kafka: topics under names of its own, workers as processes, and what they left behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from monitor.clock import SystemClock
from monitor.deciding import DecidingContext
from monitor.effects.audit import genesis_block
from monitor.effects.block import read_block
from monitor.embedded.kafka import EmbeddedKafka
from monitor.pipeline import decide_run
from monitor.settings import Settings, load_settings
from monitor.simulate.messages import corrupter, transaction_messages
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate
from monitor.state.accounts import Accounts
from monitor.state.dispositions import is_alerted
from monitor.wire.kafka_config import producer_config
from monitor.wire.records import Record, Records, Run
from monitor.wire.topics import create_missing

READY_S = 90.0
END_S = 180.0


@dataclass
class Worker:
    """`monitor run` in a process of its own; its log is in `log`."""

    process: subprocess.Popen[bytes]
    log: Path

    def url(self) -> str:
        """Where its pages are; waits until it says so."""
        return str(self.line("serving", END_S)["url"])

    def line(self, message: str, timeout_s: float) -> dict[str, Any]:
        """The first log line with this message."""
        found: list[dict[str, Any]] = []
        wait_until(
            lambda: found.extend(each for each in self.lines() if each["message"] == message) or found,
            timeout_s,
            self.tail,
        )
        return found[0]

    def lines(self) -> list[dict[str, Any]]:
        return [
            json.loads(line)
            for line in self.log.read_text().splitlines()
            if line.startswith("{") and line.endswith("}")
        ]

    def tail(self) -> str:
        return self.log.read_text()[-4000:]

    def wait_ready(self) -> None:
        url = self.url()
        wait_until(lambda: httpx.get(f"{url}/ready").status_code == httpx.codes.OK, READY_S, self.tail)

    def metrics(self) -> dict[str, float]:
        text = httpx.get(f"{self.url()}/metrics").text
        pairs = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.terminate()
        return self.process.wait(60)


@dataclass
class Installation:
    """One app_id with its topics; `sent` holds what was produced, by partition, in offset order."""

    settings: Settings
    environment: dict[str, str]
    directory: Path
    partitions: int
    workers: list[Worker] = field(default_factory=list)
    sent: dict[int, list[Record]] = field(default_factory=dict)

    def start(self, **settings: object) -> Worker:
        log = self.directory / f"worker-{len(self.workers)}.log"
        environment = self.environment | {f"MONITOR_{name.upper()}": str(value) for name, value in settings.items()}
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "monitor", "run"],
                env=environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
            )
        worker = Worker(process, log)
        self.workers.append(worker)
        return worker

    def close(self) -> None:
        """Kill the workers and remove their directory; the topics stay."""
        for worker in self.workers:
            worker.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def produce(self, messages: list[tuple[bytes | None, bytes | None]], partition: int | None = None) -> None:
        """Write (key, value) pairs and remember where each landed."""
        producer = Producer(producer_config(self.settings) | {"message.max.bytes": 12 << 20, "linger.ms": 5})

        def landed(error: object, message: Any) -> None:
            assert error is None, error
            self.sent.setdefault(message.partition(), []).append(
                Record(message.offset(), message.key(), message.value())
            )

        for key, value in messages:
            where = {} if partition is None else {"partition": partition}
            producer.produce(self.settings.topic_transactions, value, key, on_delivery=landed, **where)
            producer.poll(0)
        producer.flush(60)

    def ends(self) -> dict[int, int]:
        """The last offset of each partition of the transactions topic, -1 for an empty one."""
        consumer = Consumer({"bootstrap.servers": self.settings.brokers, "group.id": "ends"})
        try:
            return {
                p: consumer.get_watermark_offsets(TopicPartition(self.settings.topic_transactions, p), timeout=20)[1]
                - 1
                for p in range(self.partitions)
            }
        finally:
            consumer.close()

    def wait_decided(self, timeout_s: float = END_S) -> None:
        """Until the audit log of each partition reaches the end of the transactions."""
        ends = self.ends()

        def reached() -> bool:
            self.check_alive()
            last = dict.fromkeys(ends, -1)
            for block in self.blocks():
                last[block.partition] = max(last[block.partition], block.last_offset)
            return last == ends

        wait_until(reached, timeout_s, lambda: "\n".join(worker.tail() for worker in self.workers), every_s=0.5)

    def wait_group_at_end(self, timeout_s: float = END_S) -> None:
        """Until the group's offsets, which lag tools read, are where deciding is. A stop in the middle of a rebalance may leave them behind."""
        ends = self.ends()
        consumer = Consumer({"bootstrap.servers": self.settings.brokers, "group.id": self.settings.app_id})
        places = [TopicPartition(self.settings.topic_transactions, p) for p in ends]

        def reached() -> bool:
            self.check_alive()
            return all(each.offset == ends[each.partition] + 1 for each in consumer.committed(places, timeout=20))

        try:
            wait_until(reached, timeout_s, lambda: "\n".join(worker.tail() for worker in self.workers), every_s=0.5)
        finally:
            consumer.close()

    def check_alive(self) -> None:
        """A worker that left by itself has failed."""
        for worker in self.workers:
            code = worker.process.poll()
            assert code in (None, 0, -signal.SIGKILL, -signal.SIGTERM), f"a worker left with {code}: {worker.tail()}"

    def read(self, topic: str) -> list[Any]:
        """All messages of a topic as a read_committed reader sees them."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.settings.brokers,
                "group.id": "reader",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "enable.auto.commit": False,
            }
        )
        try:
            metadata = consumer.list_topics(topic, timeout=20).topics[topic]
            consumer.assign([TopicPartition(topic, p, 0) for p in metadata.partitions])
            open_partitions, out = set(metadata.partitions), []
            while open_partitions:
                message = consumer.poll(20)
                assert message is not None, f"{topic} does not end"
                if message.error():
                    open_partitions.discard(message.partition())
                else:
                    out.append(message)
            return out
        finally:
            consumer.close()

    def blocks(self) -> list[Any]:
        return [read_block(message.value()) for message in self.read(self.settings.topic_audit)]

    def state(self) -> dict[tuple[int, bytes], bytes]:
        """The account records the changelog holds, by partition and account."""
        found: dict[tuple[int, bytes], bytes] = {}
        for message in self.read(self.settings.changelog_topic):
            found[message.partition(), message.key()] = message.value()
        return found

    def reference(self, run_records: int = 1_000, alerts_from: int = 0) -> "Reference":
        """The same records decided in this process, in one uninterrupted pass; each partition alerts from the offset `alerts_from` on."""
        return decide_offline(self.settings, self.sent, run_records, alerts_from)


@dataclass
class Reference:
    """What an uninterrupted run would hold."""

    state: dict[tuple[int, bytes], bytes]
    dispositions: Counter[int]
    alerts: set[tuple[int, int]]
    scores: dict[tuple[int, int], float]


def decide_offline(
    settings: Settings, sent: dict[int, list[Record]], run_records: int, alerts_from: int = 0
) -> Reference:
    reference = Reference({}, Counter(), set(), {})
    deciding = DecidingContext(settings, SystemClock())
    for partition, records in sent.items():
        accounts = Accounts()
        _, position = genesis_block(
            app_id=settings.app_id, topic=settings.topic_transactions, topic_id="reference", partition=partition, start=0,
            alerts_from_offset=alerts_from, versions={}, schema_id=1,
        )  # fmt: skip
        for at in range(0, len(records), run_records):
            run = Run(
                settings.topic_transactions, partition, position.last_offset, Records.of(records[at : at + run_records])
            )
            context = deciding.for_records(run.records)
            decided = decide_run(run, accounts, position, context, time.time_ns() // 1_000_000)
            position = decided.position
            reference.dispositions.update(decided.dispositions.tolist())
            offsets = run.records.offsets
            reference.scores.update(
                ((partition, int(offset)), float(score)) for offset, score in zip(offsets, decided.scores, strict=True)
            )
            reference.alerts.update(
                (partition, int(offset)) for offset in offsets[is_alerted(decided.outcomes, decided.held)]
            )
        keys = list(accounts)
        values = accounts.values(accounts.taken())
        reference.state.update({(partition, key): value for key, value in zip(keys, values, strict=True)})
    return reference


def wait_until(
    condition: Callable[[], object], timeout_s: float, explain: Callable[[], str], every_s: float = 0.1
) -> None:
    """Wait for a condition, and say what was there when it did not come."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {timeout_s:.0f} s: {explain()}")
        time.sleep(every_s)


@pytest.fixture(name="wait_until")
def _wait_until() -> Callable[..., None]:
    """`wait_until(condition, timeout_s, explain)`: wait for a condition instead of sleeping."""
    return wait_until


def new_installation(bootstrap: str, name: str, partitions: int = 4, **settings: object) -> Installation:
    """The topics of a fresh installation called `name`, and a directory for its workers; `close` ends it."""
    directory = Path(tempfile.mkdtemp(prefix="monitor-installation-"))
    values = {
        "brokers": bootstrap,
        "app_id": name,
        "topic_transactions": f"{name}.transactions",
        "topic_alerts": f"{name}.alerts",
        "topic_withheld": f"{name}.alerts.withheld",
        "topic_dlq": f"{name}.dlq",
        "topic_audit": f"{name}.audit",
        "topic_labels": f"{name}.labels",
        "topic_shadow": f"{name}.shadow",
        "topic_vectors": f"{name}.vectors",
        "topic_rule_hits": f"{name}.rule-hits",
        "topic_controls": f"{name}.controls",
        "topic_partitions": partitions,
        "http_bind": "127.0.0.1:0",
        "session_timeout_s": 6,
        "heartbeat_s": 1,
        "alert_cooldown_s": 0,  # an alert for each outcome, but where a test or a campaign wants a cool-down
        "data_dir": directory / "data",
        **settings,
    }
    variables = {f"MONITOR_{name.upper()}": str(value) for name, value in values.items()}
    loaded = load_settings(environ=variables)
    create_missing(AdminClient({"bootstrap.servers": bootstrap, "log_level": 0}), loaded)
    return Installation(loaded, dict(os.environ) | variables, directory, partitions)


@pytest.fixture
def install(kafka: EmbeddedKafka, topic_prefix: str) -> Iterator[Callable[..., Installation]]:
    """`install(partitions=4, **settings)` makes the topics of a fresh installation and ends its workers after the test."""
    made: list[Installation] = []

    def make(partitions: int = 4, **settings: object) -> Installation:
        installation = new_installation(kafka.bootstrap, topic_prefix, partitions, **settings)
        made.append(installation)
        return installation

    yield make
    for installation in made:
        installation.close()


@pytest.fixture
def transactions() -> Callable[..., list[tuple[bytes | None, bytes | None]]]:
    """`transactions(10_000, seed=1)`: simulated transactions as (key, framed Avro), ending about now."""

    def make(count: int, seed: int = 1, schema_id: int = 1, **fields: Any) -> list[tuple[bytes | None, bytes | None]]:
        spec = SimulationSpec(seed=seed, transactions=count, **fields)
        spoil, shift = corrupter(seed, spec.corrupt), time.time_ns() // 1_000_000 - spec.end_ms
        messages: list[tuple[bytes | None, bytes | None]] = []
        for batch in generate(spec):
            moved = batch.moved(shift)
            made = spoil(moved, transaction_messages(moved, schema_id))
            messages += zip(made.keys, made.values, strict=True)
        return messages

    return make
