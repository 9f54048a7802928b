"""Where checkpoints are kept: a file of JSON lines, or a topic. Both are only ever appended to."""

from pathlib import Path
from typing import Protocol

from confluent_kafka import Producer

from monitor.audit.topic import read_partition
from monitor.errors import BrokerError, SettingsError
from monitor.line_file import append_line, read_lines
from monitor.settings import Settings
from monitor.wire.kafka_config import producer_config

TOPIC = "topic:"
_ANSWER_S = 30.0


class Ledger(Protocol):
    """Checkpoint lines, without newlines."""

    def lines(self) -> list[bytes]:
        """All of them. Raises `SettingsError` or `BrokerError` when they cannot be read."""
        ...

    def append(self, line: bytes) -> None:
        """One more; on return it is on disk, or acknowledged by all in-sync replicas."""
        ...


class FileLedger:
    """A file of lines. A last line without its newline was never finished, and counts as not written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def lines(self) -> list[bytes]:
        try:
            return read_lines(self._path)
        except OSError as error:
            raise SettingsError(f"checkpoints {self._path}: {error.strerror}; name a file of checkpoints") from None

    def append(self, line: bytes) -> None:
        try:
            append_line(self._path, lambda _: line)
        except OSError as error:
            raise SettingsError(
                f"checkpoints {self._path}: {error.strerror}; name a file that can be written"
            ) from None


class TopicLedger:
    """Partition 0 of a topic, which must keep what it gets (`cleanup.policy=delete`, `retention.ms=-1`)."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self._settings, self._topic = settings, topic

    def lines(self) -> list[bytes]:
        return [stored.value for stored in read_partition(self._settings, self._topic, 0)]

    def append(self, line: bytes) -> None:
        errors: list[object] = []
        producer = Producer(producer_config(self._settings))
        producer.produce(
            self._topic, line, self._settings.app_id.encode(), 0, on_delivery=lambda error, _: errors.append(error)
        )
        if producer.flush(_ANSWER_S) or errors != [None]:
            raise BrokerError(f"topic {self._topic}: checkpoint not acknowledged ({errors}); see `monitor doctor`")


def ledger_at(settings: Settings | None, where: str) -> Ledger:
    """`topic:NAME`, or the path of a file. Raises `SettingsError` when a topic is named without settings to reach it."""
    if not where.startswith(TOPIC):
        return FileLedger(Path(where))
    if settings is None:
        raise SettingsError(f"checkpoints {where}: no Kafka to read them from; name a file")
    return TopicLedger(settings, where.removeprefix(TOPIC))
