"""Taking a partition over: fence, tails, what may not be, the first block of a new installation, and the bulk load of its state.

Blocking; called in threads, one a partition. The order in `Takeover.take` is what makes a restart exact: nothing is read before the
fence, since a zombie's open transaction could still commit after the read.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from monitor.clock import Clock
from monitor.effects.audit import Position, genesis_block, position_of, verify_block
from monitor.effects.block import read_block
from monitor.effects.message import Message
from monitor.errors import GapError, TopicError
from monitor.state.accounts import Accounts
from monitor.wire import tails
from monitor.wire.start import Start, resolve_start
from monitor.wire.transactions import TransactionalWriter


@dataclass(frozen=True, slots=True)
class Taken:
    """A partition as it was found: where decisions stand, the changelog's last record (-1: none), and the only writer."""

    position: Position
    changelog_end: int
    writer: TransactionalWriter


@dataclass(frozen=True, slots=True)
class Takeover:
    """How this worker takes partitions over. `config` is librdkafka's, for reading; `topic_id` the source topic's id at start."""

    config: Mapping[str, Any]
    app_id: str
    topic: str
    topic_id: str
    audit_topic: str
    changelog_topic: str
    audit_schema_id: int
    start: Start
    warmup_s: int
    writer: Callable[[str], TransactionalWriter]
    versions: Mapping[str, str]
    clock: Clock

    def take(self, partition: int) -> Taken:
        """Become the partition's only writer and find where it stands; a new installation gets its genesis block.

        The tail block is verified by itself; `monitor audit verify` walks the chain. Raises `ProtocolError`, `FencedError`, `CommitError`, `BrokerError`, `TopicError` (re-created, truncated, or an audit log that is gone)
        and `GapError` (retention took undecided records).
        """
        writer = self.writer(f"{self.app_id}-{self.topic}-{partition}")
        writer.fence()
        audit = tails.read_tail(self.config, self.audit_topic, partition)
        changelog = tails.read_tail(self.config, self.changelog_topic, partition)
        changelog_end = -1 if changelog is None else changelog.offset
        if audit is None or audit.value is None:
            if changelog is not None:
                raise TopicError(
                    f"{self.audit_topic}[{partition}] is empty, but {self.changelog_topic}[{partition}] is not: the audit log was "
                    "lost or renamed; restore it, or delete the changelog topic to begin anew"
                )
            return Taken(self._begin(partition, writer), changelog_end, writer)
        block = read_block(audit.value)
        verify_block(block, None)
        position = position_of(block)
        if changelog is None and block.scored:
            raise TopicError(
                f"{self.changelog_topic}[{partition}] is empty, but {self.audit_topic}[{partition}] says that {block.scored} transactions "
                "were scored in its last block: the state was lost; restore the changelog topic, or begin anew with another app_id"
            )
        self._check(position, partition)
        return Taken(position, changelog_end, writer)

    def load(self, partition: int, changelog_end: int) -> Accounts:
        """The partition's accounts as of changelog offset `changelog_end`. Raises `BrokerError` and `LayoutError`."""
        accounts = Accounts()
        if changelog_end >= 0:
            for batch in tails.read_through(self.config, self.changelog_topic, partition, changelog_end):
                accounts.load_many([m.key() for m in batch], [m.value() for m in batch])
        return accounts

    def begins_at(self, partition: int) -> int:
        """The first offset that the log of transactions still holds. Raises `BrokerError`."""
        return tails.watermarks(self.config, self.topic, partition)[0]

    def first_from(self, partition: int, offset: int) -> int | None:
        """The first committed transaction at or after `offset`, by a fresh read; None at the end. Raises `BrokerError`."""
        found = tails.first_from(self.config, self.topic, partition, offset)
        return None if found is None else found.offset

    def _begin(self, partition: int, writer: TransactionalWriter) -> Position:
        log = tails.PartitionLog(self.config, self.topic, partition)
        start = resolve_start(log, self.start, self.warmup_s, self.clock.now_ms())
        value, position = genesis_block(
            app_id=self.app_id,
            topic=self.topic,
            topic_id=self.topic_id,
            partition=partition,
            start=start.read_from,
            alerts_from_offset=start.alerts_from,
            versions=self.versions,
            schema_id=self.audit_schema_id,
        )
        writer.commit([Message(self.audit_topic, None, value, partition, [])])
        return position

    def _check(self, position: Position, partition: int) -> None:
        where = f"{self.topic}[{partition}]"
        if position.topic != self.topic or position.topic_id != self.topic_id:
            raise TopicError(
                f"{where} is not the topic that was audited: the audit log is of {position.topic} with id {position.topic_id}, this one "
                f"has id {self.topic_id}. It was re-created: use a new app_id and audit topic, or restore the old topic"
            )
        low, end = tails.watermarks(self.config, self.topic, partition)
        if end < position.last_offset + 1:
            raise TopicError(
                f"{where} ends at {end}, but offset {position.last_offset} was decided: the topic was truncated; "
                "restore it, or use a new app_id and audit topic"
            )
        if low > position.last_offset + 1:
            raise GapError(
                f"{where} begins at {low}, but the next undecided offset is {position.last_offset + 1}: retention took "
                f"{low - position.last_offset - 1} offsets before they were decided; raise retention.ms on {self.topic}"
            )
