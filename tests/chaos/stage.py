"""What a chaos run stands on: a broker of its own on a small disk, a proxied way to it for each worker, and an installation."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from confluent_kafka import ConsumerGroupState, KafkaException
from confluent_kafka.admin import AdminClient

from monitor.embedded.kafka import EmbeddedKafka
from monitor.embedded.process import listens
from tests.chaos import proxy
from tests.chaos.crew import Crew, Lane
from tests.chaos.disk import SmallDisk
from tests.chaos.feed import Feed
from tests.chaos.watch import Watch
from tests.installation import Installation, new_installation

BROKER_SETTINGS = {
    # After kill -9 Kafka reads the open segments again: small ones keep that short.
    "log.segment.bytes": str(64 << 20),
    "transaction.state.log.segment.bytes": str(16 << 20),
    "offsets.topic.segment.bytes": str(16 << 20),
}


class TooLong(Exception):
    """Something awaited did not come."""


def await_until(condition: Callable[[], object], timeout_s: float, what: str, every_s: float = 0.05) -> None:
    """Wait for a condition. Raises `TooLong`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TooLong(f"{what}: not within {timeout_s:.0f} s")
        time.sleep(every_s)


class Ground:
    """A broker, on a small disk if `disk_mib` is given, and `ways` through a proxy to it if `proxied`."""

    def __init__(self, ways: int, *, proxied: bool = True, disk_mib: int = 0, **settings: str) -> None:
        # One way more than there are workers always: for the one that comes and goes.
        self.names = [f"WAY{number}" for number in range(ways)]
        self.disk: SmallDisk | None = None
        self.proxy: proxy.Toxiproxy | None = None
        self._stack = ExitStack()
        try:
            self._set_up(proxied, disk_mib, BROKER_SETTINGS | settings)
        except BaseException:
            self._stack.close()
            raise

    def _set_up(self, proxied: bool, disk_mib: int, settings: dict[str, str]) -> None:
        doors = {}
        if disk_mib:
            self.disk = SmallDisk(disk_mib)
            self._stack.callback(self.disk.close)
            settings["log.dirs"] = str(self.disk.path / "data")
        if proxied:
            self.proxy = self._stack.enter_context(proxy.Toxiproxy(self.names))
            doors = {name: f"127.0.0.1:{port}" for name, port in self.proxy.ports.items()}
        self.broker = self._stack.enter_context(EmbeddedKafka(settings, heap_mib=1024, doors=doors))
        if self.proxy is not None:
            self.proxy.connect(self.broker.door_ports)

    def address(self, way: str) -> str:
        """Where a worker that comes this way finds the broker."""
        return self.broker.bootstrap if self.proxy is None else f"127.0.0.1:{self.proxy.ports[way]}"

    def broker_is_down(self) -> bool:
        return not listens(self.broker.port)

    def close(self) -> None:
        self._stack.close()


class Stage:
    """An installation on that ground, with a lane for each way, the crew that keeps their workers alive, and the watch."""

    def __init__(self, ground: Ground, name: str, partitions: int = 4, **settings: Any) -> None:
        self.ground, self.broker, self.proxy, self.disk = ground, ground.broker, ground.proxy, ground.disk
        self.missed: list[str] = []
        """Failpoints that an armed worker did not reach in time; it was killed elsewhere then."""
        self._stack = ExitStack()
        try:
            self.installation = new_installation(
                self.broker.bootstrap, name, partitions, **{"alert_cooldown_s": 300} | settings
            )
            self._stack.callback(self.installation.close)
            self.lanes = [self._lane(way) for way in ground.names]
            self.watch = Watch(self.installation.settings, partitions)
            self._stack.callback(self._end)
            self.watch.start()
            self.employ()
        except BaseException:
            self._stack.close()
            raise

    def _lane(self, name: str) -> Lane:
        directory = self.installation.directory / name.lower()
        directory.mkdir()
        own: Installation = replace(self.installation, directory=directory, workers=[])
        self._stack.callback(own.close)
        return Lane(name, own, {"brokers": self.ground.address(name), "data_dir": directory / "data"})

    def employ(self) -> None:
        """A crew for the lanes: the first, or another after one was closed."""
        self.crew = Crew(self.lanes)
        self.crew.start()

    @property
    def regular(self) -> list[Lane]:
        """The lanes of the workers that are always there."""
        return self.lanes[:-1]

    @property
    def guest(self) -> Lane:
        """The lane of the worker that comes and goes."""
        return self.lanes[-1]

    def start_workers(self, timeout_s: float = 120.0) -> None:
        for lane in self.regular:
            lane.start()
        for lane in self.regular:
            await_until(lambda lane=lane: lane.is_ready, timeout_s, f"{lane.name} ready", 0.2)

    def feed(self, seed: int, least: int, rate: float) -> Feed:
        """A stream of transactions, running."""
        self.stream = Feed(self.installation.settings, seed, least, rate)
        self.stream.start()
        return self.stream

    def goes_on_after(self, moment: float) -> bool:
        """Whether every partition has decided something that was sent after this moment (monotonic)."""
        goal = self.stream.sent_after(moment)
        return goal is not None and self.watch.reached(goal)

    def await_group(self, timeout_s: float = 120.0) -> None:
        """Until the regular workers, all of them and nobody else, are one settled group. Raises `TooLong`."""

        def is_settled() -> bool:
            # A client of its own: one that saw the broker go would sit out its old requests first.
            admin = AdminClient({"bootstrap.servers": self.broker.bootstrap, "log_level": 0})
            name = self.installation.settings.app_id
            try:
                found = admin.describe_consumer_groups([name], request_timeout=5)[name].result(10)
            except (KafkaException, TimeoutError):
                return False
            members = len(self.regular)
            return (
                found.state == ConsumerGroupState.STABLE
                and len(found.members) == members
                and all(lane.is_ready for lane in self.regular)
            )

        await_until(is_settled, timeout_s, "a settled group of the workers", 0.2)

    def await_decided(self, goal: dict[int, int], timeout_s: float) -> None:
        """Until every partition is decided as far as `goal`. Raises `TooLong`."""
        await_until(lambda: self.watch.reached(goal), timeout_s, f"decided {self.watch.through}, to come {goal}")

    def close(self) -> None:
        self._stack.close()

    def _end(self) -> None:
        self.crew.close()
        self.watch.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def keep(lane: Lane, directory: Path) -> None:
    """Copy what a lane's workers logged last, for those who look for a cause."""
    directory.mkdir(parents=True, exist_ok=True)
    for log in lane.installation.directory.glob("*.log"):
        (directory / f"{lane.name.lower()}-{log.name}").write_bytes(log.read_bytes()[-200_000:])
