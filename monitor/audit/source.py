"""Where blocks come from: the audit topic, or an export of it."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from monitor.audit.export import Export
from monitor.audit.stored import Stored
from monitor.audit.topic import read_partition
from monitor.errors import SettingsError
from monitor.settings import Settings
from monitor.wire.committed import partitions_of


class Source(Protocol):
    """`partitions` ascending; `blocks` gives those of some partitions, one partition after the other, in offset order."""

    audit_topic: str
    partitions: list[int]

    def blocks(self, partitions: Sequence[int]) -> Iterator[Stored]:
        """All of them, up to the end there is now."""
        ...


class TopicSource:
    """The audit topic itself, as committed. Raises `BrokerError` or `TopicError`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.audit_topic = settings.topic_audit
        self.partitions = partitions_of(settings, self.audit_topic)

    def blocks(self, partitions: Sequence[int], start: Mapping[int, int] | None = None) -> Iterator[Stored]:
        """`start` says per partition at which offset of the audit topic to begin."""
        for partition in partitions:
            yield from read_partition(self._settings, self.audit_topic, partition, (start or {}).get(partition, 0))


def open_source(settings: Settings | None, export_file: Path | None = None) -> "TopicSource | Export":
    """The export where one is named, else the topic of these settings. Raises `ProtocolError` for a damaged export."""
    if export_file is not None:
        return Export(export_file)
    if settings is None:
        raise SettingsError("audit log: neither settings nor an export to read it from; name an export")
    return TopicSource(settings)
