"""Which broker the demo and the tests run on: the embedded Kafka, the mock, or one that runs already."""

from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from monitor.embedded.kafka import EmbeddedKafka, available
from monitor.embedded.mock import MockCluster
from monitor.errors import BrokerError

CREATE_TIMEOUT_S = 30.0


class Server(Protocol):
    """What is started and stopped behind a `Broker`."""

    @property
    def bootstrap(self) -> str:
        """HOST:PORT, comma-separated."""
        ...

    def stop(self) -> None:
        """Stop it."""
        ...


class Broker:
    """A broker that is up. `kind` is kafka, mock or external; `why` says in words what it is and why this one."""

    def __init__(self, kind: str, bootstrap: str, why: str, server: Server | None = None) -> None:
        self.kind = kind
        self.bootstrap = bootstrap
        self.why = why
        self.server = server

    @property
    def real(self) -> bool:
        """Whether it keeps Kafka's promises: transactions, fencing, retention. The mock does not."""
        return self.kind != "mock"

    def create_topic(self, name: str, partitions: int) -> None:
        """Make a topic on one replica unless it is there. Raises `BrokerError`."""
        if isinstance(self.server, MockCluster):
            self.server.create_topic(name, partitions)
            return
        client = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        try:
            client.create_topics([NewTopic(name, partitions, 1)])[name].result(CREATE_TIMEOUT_S)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise BrokerError(f"topic {name} = not created on {self.bootstrap}: {error.args[0].str()}") from None

    def stop(self) -> None:
        """Stop what was started here; a broker that ran before goes on running."""
        if self.server is not None:
            self.server.stop()
            self.server = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def choose(kind: str = "auto", say: Callable[[str], None] = lambda _: None) -> Broker:
    """Start, or name, the broker for `kind`: auto, kafka, mock, or HOST:PORT of one that runs.

    `auto` takes the embedded Kafka when Java and Maven are there and it starts, else the mock. `say` is told before the
    slow parts. Raises `BrokerError` when the kind that was asked for by name cannot be had.
    """
    if kind == "mock":
        return _mock("librdkafka's mock cluster, as asked for: it shows, it proves nothing")
    if kind in ("auto", "kafka"):
        return _kafka_or_mock(required=kind == "kafka", say=say)
    if ":" not in kind:
        raise BrokerError(f"broker = {kind!r}: give auto, kafka, mock or HOST:PORT")
    return Broker("external", kind, f"the Kafka that runs at {kind}")


def _kafka_or_mock(*, required: bool, say: Callable[[str], None]) -> Broker:
    can = available()
    why_not = can.why
    if can:
        say(f"starting {can.why} (its first start downloads it)")
        server = EmbeddedKafka()
        try:
            return Broker("kafka", server.start().bootstrap, f"a real broker: {can.why}", server)
        except BrokerError as error:
            why_not = str(error)
    if required:
        raise BrokerError(f"broker = 'kafka': {why_not}")
    return _mock(f"librdkafka's mock cluster, for there is no real Kafka: {why_not}")


def _mock(why: str) -> Broker:
    cluster = MockCluster().start()
    return Broker("mock", cluster.bootstrap, why, cluster)
