"""What the demo sets up: topics on a broker, and `monitor run` as a process of its own, as in production."""

import json
import os
import shutil
import sys
import tempfile
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from confluent_kafka.admin import AdminClient

from monitor.embedded.choice import Broker
from monitor.embedded.process import Process
from monitor.errors import MonitorError
from monitor.settings import Settings, load_settings
from monitor.wire.kafka_config import admin_config
from monitor.wire.topics import create_missing, plan

READY_S = 120.0
"""The first start on a machine compiles the kernels."""

PARTITIONS = 4


class WorkerFailed(MonitorError):
    """The demo's worker left; its log says why."""


class Stage:
    """Topics and a worker; a context manager that stops the worker. On a broker that runs anyway, all names are the demo's own."""

    def __init__(self, broker: Broker) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="fraud-monitor-demo-"))
        self.log_file = self._directory / "worker.log"
        name = f"demo-{uuid.uuid4().hex[:6]}"
        prefix = f"{name}." if broker.kind == "external" else ""
        overrides: dict[str, Any] = {
            "brokers": broker.bootstrap,
            "app_id": name,
            "http_bind": "127.0.0.1:0",
            "data_dir": str(self._directory),
            "topic_partitions": PARTITIONS,
            "log_format": "json",
        }
        topics = (
            "transactions",
            "alerts",
            "alerts.withheld",
            "transactions.dlq",
            "audit",
            "labels",
            "shadow",
            "vectors",
            "rule-hits",
            "controls",
        )
        fields = (
            "topic_transactions",
            "topic_alerts",
            "topic_withheld",
            "topic_dlq",
            "topic_audit",
            "topic_labels",
            "topic_shadow",
            "topic_vectors",
            "topic_rule_hits",
            "topic_controls",
        )
        overrides |= {field: f"{prefix}{topic}" for field, topic in zip(fields, topics, strict=True)}
        self.settings: Settings = load_settings(overrides=overrides)
        self._environment = os.environ | {f"MONITOR_{field.upper()}": str(value) for field, value in overrides.items()}
        self._make_topics(broker)
        self._process: Process | None = None
        self.url = ""

    def start_worker(self) -> None:
        """Start `monitor run` and wait until it is ready. Raises `WorkerFailed`."""
        command = [sys.executable, "-m", "monitor", "run"]
        self._process = Process(command, self.log_file, self._directory, self._environment)
        deadline = time.monotonic() + READY_S
        while not self._ready():
            self.check()
            if time.monotonic() > deadline:
                raise WorkerFailed(f"the worker is not ready after {READY_S:.0f} s; see {self.log_file}")
            time.sleep(0.1)

    def check(self) -> None:
        """Raises `WorkerFailed` when the worker has left."""
        code = None if self._process is None else self._process.ended()
        if code is not None:
            tail = "\n".join(self.log_file.read_text(errors="replace").splitlines()[-5:])
            raise WorkerFailed(f"the worker left with exit code {code}; {self.log_file} ends:\n{tail}")

    def metrics(self) -> dict[str, float]:
        """The worker's series by name and labels, as /metrics has them now."""
        text = httpx.get(f"{self.url}/metrics", timeout=5.0).text
        lines = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, value in lines}

    def stop(self) -> None:
        """Stop the worker."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def _make_topics(self, broker: Broker) -> None:
        if broker.kind == "mock":  # it has no CreateTopics
            for topic in plan(self.settings):
                broker.create_topic(topic.name, topic.partitions)
        else:
            create_missing(AdminClient(admin_config(self.settings)), self.settings)

    def _ready(self) -> bool:
        self.url = self.url or serving_url(self.log_file)
        if not self.url:
            return False
        try:
            return httpx.get(f"{self.url}/ready", timeout=5.0).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if error is None:  # after a failure the worker's log is what helps
            shutil.rmtree(self._directory, ignore_errors=True)


def serving_url(log: Path) -> str:
    """Where the worker serves its pages: it says so in its log."""
    for line in log.read_text(errors="replace").splitlines():
        if '"serving"' in line:
            return str(json.loads(line)["url"])
    return ""
