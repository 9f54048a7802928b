"""A worker installation to measure: topics as shipped, a worker in a process of its own, and what the broker and /proc say of them."""

import json
import os
import shutil
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from numpy.typing import NDArray

from benchmarks.reading import environment, pin
from monitor.demo.stage import serving_url
from monitor.embedded.process import Process
from monitor.settings import load_settings
from monitor.simulate.batch import Batch
from monitor.simulate.messages import transaction_messages
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate
from monitor.wire.kafka_config import consumer_config, producer_config
from monitor.wire.topics import create_missing

WAIT_S = 900.0
STEPS_A_SECOND = 50
"""A feed at a rate goes out in so many portions a second."""

SHIPPED = ("-m", "monitor", "run")
"""What a worker runs, after the interpreter."""

Pairs = tuple[list[bytes], list[bytes]]
"""Keys and values, of equal number."""

Choose = Callable[[np.random.Generator, NDArray[np.int64]], NDArray[np.int64]]
"""Account numbers int64[n] for places int64[n] in a stream."""


class Worker:
    """One process; its log lines and pages are read while it lives."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], cpu: int | None = None) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="monitor-bench-"))
        self.log = self.directory / "worker.log"
        self.began_s = time.time()
        self.process = Process([sys.executable, *command], self.log, self.directory, os.environ | environment)
        if cpu is not None:
            pin(self.process.pid, cpu)

    @property
    def pid(self) -> int:
        return self.process.pid

    def lines(self, message: str) -> list[dict[str, Any]]:
        """Its log lines with this message, with `at`: seconds since the epoch."""
        found = [json.loads(each) for each in self.log.read_text(errors="replace").splitlines() if each.endswith("}")]
        return [
            each | {"at": datetime.fromisoformat(each["ts"]).timestamp()}
            for each in found
            if each["message"] == message
        ]

    def ready(self) -> dict[str, Any]:
        """What /ready says, {} before it serves."""
        self.check()
        url = serving_url(self.log)
        try:
            return httpx.get(f"{url}/ready", timeout=10.0).json() if url else {}
        except httpx.TransportError:
            return {}

    def recovered(self) -> list[int]:
        return list(self.ready().get("recovered", []))

    def done(self) -> int:
        """Transactions decided by it, as its /metrics say."""
        return int(self.metric("monitor_transactions_in_total").get("", 0))

    def stages_s(self) -> dict[str, float]:
        """Seconds spent in each stage so far, as its /metrics say."""
        found = self.metric("monitor_stage_seconds_sum")
        return {labels.partition('"')[2].rstrip('"}'): seconds for labels, seconds in found.items()}

    def metric(self, name: str) -> dict[str, float]:
        """Values of one metric by labels as they are written, {} before it serves."""
        self.check()
        url = serving_url(self.log)
        try:
            text = httpx.get(f"{url}/metrics", timeout=10.0).text if url else ""
        except httpx.TransportError:
            return {}
        lines = (line.rpartition(" ") for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{")))
        return {labelled.removeprefix(name): float(value) for labelled, _, value in lines}

    def memory_mb(self, field: str = "VmRSS") -> int:
        """`VmRSS` now, or `VmHWM` at most."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith(field))) // 1024

    def check(self) -> None:
        code = self.process.ended()
        if code is not None:
            raise SystemExit(f"a worker left with {code}: {self.log.read_text(errors='replace')[-3000:]}")

    def kill(self) -> None:
        self.process.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def stop(self) -> None:
        """SIGTERM, as a deployment does."""
        self.process.stop()


class Installation:
    """Topics as `monitor topics create` makes them, under a fresh app_id; a context manager that ends its workers."""

    def __init__(self, brokers: str, partitions: int, topics: str | None = None) -> None:
        self.name = f"bench-{uuid.uuid4().hex[:6]}"
        self.variables = environment(brokers, topics or self.name, self.name) | {
            "MONITOR_TOPIC_PARTITIONS": str(partitions),
            "MONITOR_SHED_AFTER_S": "0",  # a backlog is to be explained as promised, however long it has waited
        }
        self.settings = load_settings(environ=self.variables)
        self.partitions = partitions
        self.workers: list[Worker] = []
        self._consumer = Consumer(consumer_config(self.settings, "bench"))
        create_missing(AdminClient({"bootstrap.servers": brokers}), self.settings)

    def start(self, command: Sequence[str] = SHIPPED, cpu: int | None = None, **settings: object) -> Worker:
        more = {f"MONITOR_{name.upper()}": str(value) for name, value in settings.items()}
        self.workers.append(Worker(command, self.variables | more, cpu))
        return self.workers[-1]

    def ends(self, topic: str) -> dict[int, tuple[int, int]]:
        """Low and high watermark by partition."""
        return {
            p: self._consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=20)
            for p in range(self.partitions)
        }

    def read(self, topic: str, start: dict[int, int] | None = None) -> Iterator[Any]:
        """Every committed message, from `start` (partition -> offset) or from the beginning, to the end."""
        ends = self.ends(topic)
        self._consumer.assign([TopicPartition(topic, p, (start or {}).get(p, ends[p][0])) for p in ends])
        open_partitions = set(ends)
        while open_partitions:
            message = self._consumer.poll(20)
            if message is None:
                raise SystemExit(f"{topic} does not end")
            if message.error():
                open_partitions.discard(message.partition())
            else:
                yield message

    def __enter__(self) -> "Installation":
        return self

    def __exit__(self, *_error: object) -> None:
        for worker in self.workers:
            worker.kill()
        self._consumer.close()


def uniform(count: int, accounts: int, seed: int, rate: float = 0.0) -> Iterator[Pairs]:
    """Simulated transactions dealt to `accounts` accounts, in batches: each account in turn without a rate, at random with one."""

    def choose(draw: np.random.Generator, places: NDArray[np.int64]) -> NDArray[np.int64]:
        return draw.integers(0, accounts, len(places)) if rate else places % accounts

    return dealt(count, seed, choose)


def dealt(count: int, seed: int, choose: Choose) -> Iterator[Pairs]:
    """Simulated transactions, each dealt to the account that `choose` names for its place in the stream; they end now."""
    shift = time.time_ns() // 1_000_000 - dealt_spec(count, seed).end_ms
    for batch in dealt_batches(count, seed, choose):
        messages = transaction_messages(batch.moved(shift), 1)
        yield messages.keys, messages.values  # type: ignore[misc]


def dealt_spec(count: int, seed: int) -> SimulationSpec:
    return SimulationSpec(seed=seed, transactions=count, accounts=max(count // 60, 10))


def dealt_batches(count: int, seed: int, choose: Choose) -> Iterator[Batch]:
    """The transactions of `dealt` before they are encoded, at the simulator's times."""
    draw, done = np.random.default_rng(seed), 0
    for batch in generate(dealt_spec(count, seed)):
        places = done + np.arange(len(batch))
        done += len(batch)
        yield replace(batch, account_id=named(choose(draw, places)))


def named(numbers: Any) -> Any:
    """Account ids of ten bytes, as the simulator's are nine."""
    return np.char.add(b"B", np.char.zfill(numbers.astype("S9"), 9))


AT_A_RATE = {"linger.ms": 0, "max.in.flight": 1}
"""Of a producer whose latency is looked at: what comes while a request is under way goes together; else small requests pile up before a busy broker."""


class Feed:
    """Writes transactions at a rate (0: as fast as the broker takes them); `late_s` is how far it fell behind its schedule.

    With `stamped`, `times[partition, offset]` is when each was handed to the producer, seconds since the epoch.
    """

    def __init__(
        self, installation: Installation, batches: Iterable[Pairs], rate: float = 0.0, stamped: bool = False
    ) -> None:
        self.sent, self.late_s, self._stopped = 0, 0.0, threading.Event()
        self.times: dict[tuple[int, int], float] = {}
        self._failure: BaseException | None = None
        self._topic, self._batches, self._rate, self._stamped = (
            installation.settings.topic_transactions,
            batches,
            rate,
            stamped,
        )
        self._producer = Producer(
            producer_config(installation.settings)
            | (AT_A_RATE if rate else {"linger.ms": 20})
            | {"compression.type": "lz4", "queue.buffering.max.messages": 500_000}
        )
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> "Feed":
        self._thread.start()
        return self

    def stop(self) -> "Feed":
        """Send no more, and wait for what was sent."""
        self._stopped.set()
        return self.wait()

    def wait(self) -> "Feed":
        self._thread.join()
        if self._failure is not None:
            raise self._failure
        return self

    def _run(self) -> None:
        try:
            began = time.monotonic()
            for keys, values in self._batches:
                if self._stopped.is_set():
                    break
                step = max(int(self._rate / STEPS_A_SECOND), 1) if self._rate else len(keys)
                for at in range(0, len(keys), step):
                    if self._stopped.is_set():
                        break
                    if self._rate:
                        ahead = began + self.sent / self._rate - time.monotonic()
                        self.late_s = max(self.late_s, -ahead)
                        time.sleep(max(ahead, 0))
                    self._send(keys[at : at + step], values[at : at + step])
            self._producer.flush(120)
        except BaseException as error:
            self._failure = error

    def _send(self, keys: list[bytes], values: list[bytes]) -> None:
        for key, value in zip(keys, values, strict=True):
            told = self._landed(time.time()) if self._stamped else self._refused
            while True:
                try:
                    self._producer.produce(self._topic, value, key, on_delivery=told)
                    break
                except BufferError:
                    self._producer.poll(0.1)
        self._producer.poll(0)
        self.sent += len(keys)

    def _landed(self, sent_s: float) -> Callable[[Any, Any], None]:
        def landed(error: Any, message: Any) -> None:
            self._refused(error, message)
            self.times[message.partition(), message.offset()] = sent_s

        return landed

    def _refused(self, error: Any, _message: Any) -> None:
        if error is not None:
            self._failure = RuntimeError(str(error))


def wait_for(condition: Callable[[], Any], what: str, timeout_s: float = WAIT_S, every_s: float = 0.1) -> Any:
    """What `condition` returns as soon as it is true."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {timeout_s:.0f} s: {what}")
        time.sleep(every_s)
    return found


def say(text: str) -> None:
    """Progress, with the time."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)
