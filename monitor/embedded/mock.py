"""librdkafka's in-process mock cluster: a broker for a demo without Java, up in 30 ms. Driven through ctypes.

What it cannot do, all seen: it has no CreateTopics (make topics with `create_topic`); it **drops a partition's oldest
records silently beyond 5 MiB or 100,000 produced batches**; it does not compact; read_committed readers are shown aborted records; a zombie
producer is not fenced. It shows that things fit together. It proves nothing about loss.
"""

import ctypes
import functools
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import confluent_kafka

from monitor.errors import BrokerError

MAX_PARTITION_BYTES = 5 << 20  # as produced, compressed or not; a batch that crosses it pushes the oldest out
MAX_PARTITION_BATCHES = 100_000
PRODUCER = 0  # RD_KAFKA_PRODUCER
CONTROLLER = 1  # the broker that owns cluster-wide requests; the mock has none until told

_VOID, _TEXT, _INT, _I16, _I32, _SIZE = (
    ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_int16, ctypes.c_int32, ctypes.c_size_t,
)  # fmt: skip

# rdkafka.h and rdkafka_mock.h of librdkafka 2.x: name, result, arguments
_FUNCTIONS: tuple[tuple[str, Any, tuple[Any, ...]], ...] = (
    ("rd_kafka_conf_new", _VOID, ()),
    ("rd_kafka_conf_set", _INT, (_VOID, _TEXT, _TEXT, _TEXT, _SIZE)),
    ("rd_kafka_new", _VOID, (_INT, _VOID, _TEXT, _SIZE)),
    ("rd_kafka_destroy", None, (_VOID,)),
    ("rd_kafka_mock_cluster_new", _VOID, (_VOID, _INT)),
    ("rd_kafka_mock_cluster_destroy", None, (_VOID,)),
    ("rd_kafka_mock_cluster_bootstraps", _TEXT, (_VOID,)),
    ("rd_kafka_mock_set_controller_id", _INT, (_VOID, _I32)),
    ("rd_kafka_mock_group_initial_rebalance_delay_ms", None, (_VOID, _I32)),
    ("rd_kafka_mock_topic_create", _INT, (_VOID, _TEXT, _INT, _INT)),
    ("rd_kafka_mock_broker_set_down", _INT, (_VOID, _I32)),
    ("rd_kafka_mock_broker_set_up", _INT, (_VOID, _I32)),
    ("rd_kafka_mock_broker_set_rtt", _INT, (_VOID, _I32, _INT)),
    ("rd_kafka_mock_push_request_errors_array", None, (_VOID, _I16, _SIZE, _VOID)),
)


@functools.cache
def _library() -> ctypes.CDLL:
    """The very library that confluent_kafka has loaded: its wheel carries it beside the package."""
    beside = Path(confluent_kafka.__file__).parents[1] / "confluent_kafka.libs"
    inside = Path(confluent_kafka.__file__).parent / ".dylibs"
    found = [*beside.glob("librdkafka-*.so*"), *beside.glob("librdkafka*.dll"), *inside.glob("librdkafka*.dylib")]
    if not found:
        raise BrokerError(
            f"librdkafka = not found beside {confluent_kafka.__file__}: install confluent-kafka from its wheel"
        )
    library = ctypes.CDLL(str(found[0]))
    for name, result, arguments in _FUNCTIONS:
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class MockCluster:
    """`brokers` brokers inside this process, gone with it."""

    def __init__(self, brokers: int = 1, rebalance_ms: int = 200) -> None:
        self._brokers = brokers
        self._rebalance_ms = rebalance_ms
        self._client: int | None = None
        self._cluster: int | None = None

    def start(self) -> Self:
        """Open the brokers' ports on loopback. Raises `BrokerError`."""
        library = _library()
        error = ctypes.create_string_buffer(512)
        configuration = library.rd_kafka_conf_new()
        library.rd_kafka_conf_set(configuration, b"client.id", b"mock", error, len(error))
        library.rd_kafka_conf_set(configuration, b"log_level", b"0", error, len(error))
        self._client = library.rd_kafka_new(PRODUCER, configuration, error, len(error))
        if not self._client:
            raise BrokerError(f"mock cluster = {error.value.decode()}: librdkafka could not be set up")
        self._cluster = library.rd_kafka_mock_cluster_new(self._client, self._brokers)
        if not self._cluster:
            self.stop()
            raise BrokerError(f"mock cluster = none with {self._brokers} brokers: give it between 1 and 10")
        library.rd_kafka_mock_set_controller_id(self._cluster, CONTROLLER)
        library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, self._rebalance_ms)
        return self

    def stop(self) -> None:
        """Close the brokers; harmless when they are closed already."""
        if self._cluster:
            _library().rd_kafka_mock_cluster_destroy(self._cluster)
        if self._client:
            _library().rd_kafka_destroy(self._client)
        self._cluster = self._client = None

    @property
    def bootstrap(self) -> str:
        """HOST:PORT of each broker, comma-separated."""
        return str(_library().rd_kafka_mock_cluster_bootstraps(self._running()).decode())

    def create_topic(self, name: str, partitions: int) -> None:
        """Make a topic, as no client can. Raises `BrokerError` when it exists."""
        self._check(
            _library().rd_kafka_mock_topic_create(self._running(), name.encode(), partitions, 1), f"topic {name}"
        )

    def down(self, broker: int = 1) -> None:
        """Close a broker's connections and refuse new ones."""
        self._check(_library().rd_kafka_mock_broker_set_down(self._running(), broker), f"broker {broker}")

    def up(self, broker: int = 1) -> None:
        """Let a broker accept connections again."""
        self._check(_library().rd_kafka_mock_broker_set_up(self._running(), broker), f"broker {broker}")

    def delay(self, rtt_ms: int, broker: int = 1) -> None:
        """Answer each request `rtt_ms` milliseconds late."""
        self._check(_library().rd_kafka_mock_broker_set_rtt(self._running(), broker, rtt_ms), f"broker {broker}")

    def fail_next(self, api_key: int, *errors: int) -> None:
        """Answer the next requests of one kind with these Kafka error codes, one each."""
        codes = (ctypes.c_int * len(errors))(*errors)
        _library().rd_kafka_mock_push_request_errors_array(self._running(), api_key, len(errors), codes)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _running(self) -> int:
        if not self._cluster:
            raise BrokerError("mock cluster = not running: call start first")
        return self._cluster

    def _check(self, code: int, what: str) -> None:
        if code:
            raise BrokerError(f"mock cluster: {what} = Kafka error {code}: is it there, or there already?")
