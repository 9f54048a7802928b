"""`python -m benchmarks.reading`: a worker on a real Kafka reads transactions of a foreign producer, on one core.

The producer is plain confluent-kafka with fastavro, an id from a schema registry's place in the header, and the account id as key. The
worker's threads are pinned to one processor, the broker to the other. What is timed is from the first committed run to the last, as the
worker's own /metrics say; the CPU seconds are the process's.
"""

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import fastavro
import httpx
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from benchmarks.machine import facts
from monitor.demo.stage import serving_url
from monitor.embedded.kafka import EmbeddedKafka
from monitor.settings import load_settings
from monitor.simulate.batch import ATTRIBUTES
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate
from monitor.wire.columns import CHANNELS, DIRECTIONS
from monitor.wire.framing import frame
from monitor.wire.reader import transaction_schema
from monitor.wire.topics import create_missing

RESULTS = Path(__file__).parent / "results"
WORKER_CPU, BROKER_CPU = 0, 1
PARTITIONS = 4
NULLABLE = ("merchant_id", "merchant_category", "country", "device_id", "ip", "idempotency_key")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reading", description=__doc__)
    parser.add_argument("--transactions", type=int, default=1_000_000)
    parser.add_argument("--accounts", type=int)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, default=RESULTS / "reading.json")
    options = parser.parse_args()
    with EmbeddedKafka() as kafka:
        name = f"bench-{uuid.uuid4().hex[:6]}"
        variables = environment(kafka.bootstrap, name, name)
        create_missing(AdminClient({"bootstrap.servers": kafka.bootstrap}), load_settings(environ=variables))
        produce(kafka.bootstrap, f"{name}.transactions", options.transactions, options.accounts)
        pin(kafka.pid, BROKER_CPU)
        runs = [run(kafka.bootstrap, name, options.transactions) for _ in range(options.repeats)]
    result = facts() | {"transactions": options.transactions, "accounts": options.accounts, "runs": runs}
    for figure in ("events_per_s", "events_per_cpu_s"):
        values = [each[figure] for each in runs]
        result[figure] = {"median": statistics.median(values), "min": min(values), "max": max(values)}
    options.output.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps({key: result[key] for key in ("events_per_s", "events_per_cpu_s")}))


def environment(brokers: str, topics: str, app_id: str) -> dict[str, str]:
    return {
        "MONITOR_BROKERS": brokers,
        "MONITOR_APP_ID": app_id,
        "MONITOR_HTTP_BIND": "127.0.0.1:0",
        "MONITOR_TOPIC_PARTITIONS": str(PARTITIONS),
        "MONITOR_TOPIC_TRANSACTIONS": f"{topics}.transactions",
        **{
            f"MONITOR_TOPIC_{kind.upper()}": f"{app_id}.{kind}"
            for kind in ("alerts", "withheld", "dlq", "audit", "labels")
        },
        "MONITOR_ALERT_COOLDOWN_S": "0",  # every alert is sent, as the peers send theirs
    }


def produce(brokers: str, topic: str, count: int, accounts: int | None) -> None:
    """Write the simulator's transactions as any other program would: fastavro and confluent-kafka alone."""
    producer = Producer(
        {"bootstrap.servers": brokers, "partitioner": "murmur2_random", "linger.ms": 20, "compression.type": "lz4"}
    )
    schema = fastavro.parse_schema(json.loads(transaction_schema()))
    spec = SimulationSpec(seed=3, transactions=count, accounts=accounts)
    shift = time.time_ns() // 1_000_000 - spec.end_ms
    for batch in generate(spec):
        for record in records(batch.moved(shift)):
            out = io.BytesIO()
            fastavro.schemaless_writer(out, schema, record)
            while True:
                try:
                    producer.produce(topic, frame(1, out.getvalue()), record["account_id"])
                    break
                except BufferError:
                    producer.poll(0.1)
        producer.poll(0)
    producer.flush()


def records(batch: Any) -> Any:
    columns = {name: getattr(batch, name).tolist() for name in batch.__slots__}
    for row in range(len(batch)):
        record = {name: values[row] for name, values in columns.items()}
        for name, value in record.items():
            if isinstance(value, bytes):
                record[name] = value.decode() if value or name not in NULLABLE else None
        record["direction"] = DIRECTIONS[record["direction"]]
        record["channel"] = CHANNELS[record["channel"]]
        record["attributes"] = ATTRIBUTES[record["attributes"]]
        yield record


def run(brokers: str, topics: str, count: int) -> dict[str, float]:
    """One fresh installation over the same topic."""
    name = f"bench-{uuid.uuid4().hex[:6]}"
    variables = environment(brokers, topics, name)
    create_missing(AdminClient({"bootstrap.servers": brokers}), load_settings(environ=variables))
    log = Path(tempfile.mkdtemp(prefix="monitor-bench-")) / "worker.log"
    with log.open("wb") as out:
        worker = subprocess.Popen(
            [sys.executable, "-m", "monitor", "run"], env=os.environ | variables, stdout=out, stderr=out
        )
    try:
        pin(worker.pid, WORKER_CPU)
        seen, begun_s, begun_cpu = 0, 0.0, 0.0
        while seen < count:
            if worker.poll() is not None:
                raise SystemExit(f"the worker left with {worker.returncode}: {log.read_text()[-2000:]}")
            time.sleep(0.05)
            url = serving_url(log)
            now = transactions_in(url) if url else 0
            if now and not seen:
                begun_s, begun_cpu, first = time.monotonic(), cpu_seconds(worker.pid), now
            seen = now
        wall_s, cpu_s = time.monotonic() - begun_s, cpu_seconds(worker.pid) - begun_cpu
        return {
            "events": count,
            "wall_s": round(wall_s, 3),
            "cpu_s": round(cpu_s, 3),
            "events_per_s": round((count - first) / wall_s),
            "events_per_cpu_s": round((count - first) / cpu_s),
            "rss_mb": rss_mb(worker.pid),
        }
    finally:
        worker.kill()
        worker.wait()


def transactions_in(url: str) -> int:
    try:
        text = httpx.get(f"{url}/metrics").text
    except httpx.TransportError:
        return 0
    return next(
        int(float(line.split()[1])) for line in text.splitlines() if line.startswith("monitor_transactions_in_total ")
    )


def pin(pid: int, *cpus: int) -> None:
    """Every thread of the process, and those it starts later from them, on these processors alone."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), set(cpus))


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> int:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


if __name__ == "__main__":
    main()
