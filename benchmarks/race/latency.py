"""At a fixed rate: from handing a transaction to the producer until a read_committed reader has its alert.

The feed and the reader have the broker's processor. A feed that falls behind its schedule says by how much: `late_ms`. What is sent in
the first seconds is not counted.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from confluent_kafka import Producer

from benchmarks.installation import wait_for
from benchmarks.race.field import System
from benchmarks.race.stream import Stream
from benchmarks.race.systems import Running, Task
from benchmarks.reading import cpu_seconds, rss_mb

WARM_S = 10.0
"""Not counted: joining the group, first fetches."""
STEP_S = 0.002
LINGER_MS = 2
"""Of a JVM's producer: the 100 ms of Kafka Streams would be all that is seen."""
SETTLE_S = 2.0


def wait_and_see(system: System, task: Task, stream: Stream, rate: float, seconds: float) -> dict[str, Any]:
    """p50, p99 and p99.9 in ms of one run at `rate` transactions a second. `task.topic` is made here, and empty at first."""
    count = int(rate * (seconds + WARM_S))
    task.kafka.create(task.topic)
    with tempfile.TemporaryDirectory(prefix="monitor-race-") as directory, system.start(task) as running:
        wait_for(running.ready, f"{system.title} is ready", timeout_s=300)
        seen = Path(directory) / "seen.npz"
        reader = _reader(task, running, seen)
        sent, late_s = np.zeros(count), 0.0
        cpu_s = cpu_seconds(running.pid)
        try:
            late_s = feed(task.kafka.bootstrap, task.topic, stream, rate, sent)
            wait_for(lambda: running.done() >= count, "all done", every_s=0.05)
            cpu_s = cpu_seconds(running.pid) - cpu_s
            time.sleep(SETTLE_S)  # what is decided is being read
        finally:
            reader.terminate()
            reader.wait()
        figures = _quantiles(task, stream, sent, seen) | {"late_ms": round(late_s * 1000, 1)}
        figures |= {"events": count, "cpu_s": round(cpu_s, 2), "rss_mb": rss_mb(running.pid)}
        running.finish()
    task.kafka.forget(running.name)
    task.kafka.forget(task.topic)
    return figures


def feed(brokers: str, topic: str, stream: Stream, rate: float, sent: Any) -> float:
    """Send as many as `sent` has places for, and write there when each was handed over; returns how far it fell behind, in seconds."""
    producer = Producer(
        {
            "bootstrap.servers": brokers,
            "partitioner": "murmur2_random",
            "linger.ms": 0,
            "max.in.flight": 1,  # what comes meanwhile goes together; else small requests pile up before a busy broker
            "compression.type": "lz4",
            "queue.buffering.max.messages": 500_000,
        }
    )
    made = list(stream.messages(len(sent)))
    keys = [key for part, _ in made for key in part]
    values = [value for _, part in made for value in part]
    began, at, late_s = time.monotonic(), 0, 0.0
    while at < len(sent):
        due = min(int((time.monotonic() - began) * rate) + 1, len(sent))
        now_s = time.time()
        for i in range(at, due):
            producer.produce(topic, values[i], keys[i])
        sent[at:due] = now_s
        at = due
        producer.poll(0)
        ahead = began + at / rate - time.monotonic()
        late_s = max(late_s, -ahead)
        time.sleep(max(min(ahead, STEP_S), 0))
    if producer.flush(60):
        raise SystemExit(f"{topic}: the feed was not taken")
    return late_s


def _reader(task: Task, running: Running, seen: Path) -> "subprocess.Popen[bytes]":
    arguments = [sys.executable, "-m", "benchmarks.race.reader", task.kafka.bootstrap, running.alerts, str(seen)]
    reader = subprocess.Popen(arguments, stdout=subprocess.PIPE)
    assert reader.stdout is not None
    assert reader.stdout.readline() == b"reading\n"
    return reader


def _quantiles(task: Task, stream: Stream, sent: Any, seen: Path) -> dict[str, Any]:
    place = {name.decode(): at for at, name in enumerate(stream.transaction_ids[: len(sent)].tolist())}
    with np.load(seen, allow_pickle=False) as found:
        at = np.array([place[name] for name in found["ids"].tolist()], np.int64)
        taken_ms = (found["times"] - sent[at]) * 1000
    due = len(task.job.due_of(len(sent)))
    if np.unique(at).size != due:
        raise SystemExit(f"{np.unique(at).size} alerts read, {due} due")
    counted = taken_ms[sent[at] >= sent[0] + WARM_S]
    p50, p99, p999 = np.quantile(counted, [0.5, 0.99, 0.999]).round(1).tolist()
    return {"alerts": int(counted.size), "p50_ms": p50, "p99_ms": p99, "p999_ms": p999}
