"""Taking a partition over: fence, tails, what may not be, the first block of a new installation, and the bulk load of its state.

Blocking; called in threads, one a partition. The order in `Takeover.take` is what makes a restart exact: nothing is read before the
fence, since a zombie's open transaction could still commit after the read.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from monitor.clock import Clock
from monitor.effects.audit import Position, genesis_block, position_of, verify_block
from monitor.effects.block import Block, read_block
from monitor.effects.changelog import NO_TAIL, changelog_tail
from monitor.effects.message import Message
from monitor.errors import FencedError, GapError, ProtocolError, TopicError
from monitor.failpoints import Reach, pass_by
from monitor.state.accounts import Accounts
from monitor.wire.log import Log, Tail, Writer
from monitor.wire.records import Record
from monitor.wire.start import Start, resolve_start


@dataclass(frozen=True, slots=True)
class Taken:
    """A partition as it was found: where decisions stand, the changelog's last record (-1: none), and the only writer."""

    position: Position
    changelog_end: int
    writer: Writer


@dataclass(frozen=True, slots=True)
class Takeover:
    """How this worker takes partitions over.

    `writer` makes the producer of a transactional id; `attempts(partition, next_offset)` counts how often deciding began there
    (`monitor.wire.attempts`).
    """

    log: Log
    app_id: str
    topic: str
    audit_topic: str
    changelog_topic: str
    audit_schema_id: int
    start: Start
    warmup_s: int
    writer: Callable[[str], Writer]
    versions: Mapping[str, str]
    clock: Clock
    attempts: Callable[[int, int], int] = lambda _partition, _next_offset: 1
    reach: Reach = pass_by

    def take(self, partition: int) -> Taken:
        """Become the partition's only writer and find where it stands; a new installation gets its genesis block.

        The tail block is verified by itself; `monitor audit verify` walks the chain. Raises `ProtocolError`, `FencedError`, `CommitError`, `BrokerError`, `TopicError` (re-created, truncated, or an audit log that is gone)
        and `GapError` (retention took undecided records).
        """
        writer = self.writer(f"{self.app_id}-{self.topic}-{partition}")
        writer.fence()
        self.reach("fenced")
        topic_id = self.log.topic_id(self.topic)
        audit = self.log.tail(self.audit_topic, partition)
        changelog = self.log.tail(self.changelog_topic, partition)
        self.reach("tails_read")
        try:
            position = self._position(partition, topic_id, audit, changelog)
        except (TopicError, ProtocolError):  # a contradiction; a broker that does not answer is none
            self._check_still_ours(partition, audit, changelog)
            raise
        if position is None:
            position = self._begin(partition, topic_id, writer)
        self.reach("taken")
        return Taken(position, -1 if changelog is None else changelog.offset, writer)

    def _position(self, partition: int, topic_id: str, audit: Tail | None, changelog: Tail | None) -> Position | None:
        """Where the partition stands by its tails, None for a new one. Raises what `take` says when they contradict each other."""
        if audit is None or audit.value is None:
            self._check_new(partition, changelog)
            return None
        block = read_block(audit.value)
        verify_block(block, None)
        position = position_of(block)
        self._check_changelog(block, changelog)
        self.check_source(position, topic_id)
        self._check_retention(position)
        return position

    def _check_still_ours(self, partition: int, audit: Tail | None, changelog: Tail | None) -> None:
        """What seems to contradict itself may be half of a commit by whoever took over from a worker that hung here.

        Kafka marks a commit topic by topic, and a fence waits until it is marked everywhere: behind one more, both tails are read again.
        """
        self.writer(f"{self.app_id}-{self.topic}-{partition}").fence()
        again = self.log.tail(self.audit_topic, partition), self.log.tail(self.changelog_topic, partition)
        if again != (audit, changelog):
            raise FencedError(
                f"{self.audit_topic}[{partition}] grew while its partition was taken over: another worker owns it now; this one leaves"
            )

    def load(self, partition: int, changelog_end: int, is_wanted: Callable[[], bool] = lambda: True) -> Accounts:
        """The partition's accounts as of changelog offset `changelog_end`; gives up, with what it has, once it is not wanted.

        Raises `BrokerError` and `LayoutError`.
        """
        accounts = Accounts()
        if changelog_end >= 0:
            for keys, values in self.log.read_through(self.changelog_topic, partition, changelog_end):
                if not is_wanted():
                    break
                accounts.load_many(keys, values)
        self.reach("state_loaded")
        return accounts

    def begins_at(self, partition: int) -> int:
        """The first offset that the log of transactions still holds. Raises `BrokerError`."""
        return self.log.watermarks(self.topic, partition)[0]

    def is_last(self, position: Position) -> bool:
        """Whether the audit log ends with the block before `position`: nobody else has decided since. Raises `BrokerError`."""
        tail = self.log.tail(self.audit_topic, position.partition)
        return tail is not None and tail.value is not None and read_block(tail.value).block_hash == position.block_hash

    def first_from(self, partition: int, offset: int) -> int | None:
        """The first committed transaction at or after `offset`, by a fresh read; None at the end. Raises `BrokerError`."""
        found = self.log.first_from(self.topic, partition, offset)
        return None if found is None else found.offset

    def record_from(self, partition: int, offset: int) -> Record | None:
        """The first transaction at or after `offset`, headers and all; None at the end of the log. Raises `BrokerError` and `DamagedLogError`."""
        return self.log.record_from(self.topic, partition, offset)

    def _begin(self, partition: int, topic_id: str, writer: Writer) -> Position:
        start = resolve_start(self.log, self.topic, partition, self.start, self.warmup_s, self.clock.now_ms())
        value, position = genesis_block(
            app_id=self.app_id,
            topic=self.topic,
            topic_id=topic_id,
            partition=partition,
            start=start.read_from,
            alerts_from_offset=start.alerts_from,
            versions=self.versions,
            schema_id=self.audit_schema_id,
        )
        writer.commit([Message(self.audit_topic, None, value, partition, [])])
        return position

    def check_topic(self, before: str | None) -> str:
        """The source topic's id now. Raises `TopicError` when the topic is gone, or has another id than `before` (none or "": not known)."""
        topic_id = self.log.topic_id(self.topic)
        if before and before != topic_id:
            raise TopicError(
                f"{self.topic} has id {topic_id}, and had {before}. It was re-created: use a new app_id and audit topic, or restore the old topic"
            )
        return topic_id

    def check_source(self, position: Position, topic_id: str) -> None:
        """Raises `TopicError` unless the topic, whose id is `topic_id`, is the one that was audited, as long as it was then."""
        where = f"{self.topic}[{position.partition}]"
        if position.topic != self.topic or position.topic_id != topic_id:
            raise TopicError(
                f"{where} is not the topic that was audited: the audit log is of {position.topic} with id {position.topic_id}, this one "
                f"has id {topic_id}. It was re-created: use a new app_id and audit topic, or restore the old topic"
            )
        _, end = self.log.watermarks(self.topic, position.partition)
        if end < position.last_offset + 1:
            raise TopicError(
                f"{where} ends at {end}, but offset {position.last_offset} was decided: the topic was truncated; "
                "restore it, or use a new app_id and audit topic"
            )

    def _check_retention(self, position: Position) -> None:
        """Raises `GapError` when the log begins beyond what comes next."""
        low, where = self.begins_at(position.partition), f"{self.topic}[{position.partition}]"
        if low > position.last_offset + 1:
            raise GapError(
                f"{where} begins at {low}, but the next undecided offset is {position.last_offset + 1}: retention took "
                f"{low - position.last_offset - 1} offsets before they were decided; raise retention.ms on {self.topic}"
            )

    def _check_new(self, partition: int, changelog: Tail | None) -> None:
        """Whether nothing says that there was an audit log before."""
        if changelog is not None:
            raise TopicError(
                f"{self.audit_topic}[{partition}] is empty, but {self.changelog_topic}[{partition}] is not: the audit log was "
                "lost or renamed; restore it, or delete the changelog topic to begin anew"
            )
        committed = self.log.group_offset(self.app_id, self.topic, partition)
        if committed:
            raise TopicError(
                f"{self.audit_topic}[{partition}] is empty, but group {self.app_id} has decided {self.topic}[{partition}] up to offset {committed}: "
                "the audit log and the state were lost or renamed; restore them, or begin anew with another app_id (or delete the group)"
            )

    def _check_changelog(self, block: Block, changelog: Tail | None) -> None:
        """Whether the changelog ends with what the last block says. A tombstone at its end says nothing: none of ours stands there."""
        if changelog is not None and changelog.value is None:
            return
        found = NO_TAIL if changelog is None else changelog_tail(changelog.key or b"", changelog.value or b"")
        if found == block.changelog_tail:
            return
        where, audit = f"{self.changelog_topic}[{block.partition}]", f"{self.audit_topic}[{block.partition}]"
        ends = "is empty" if changelog is None else f"ends at offset {changelog.offset} with {changelog.key!r}"
        raise TopicError(
            f"{where} {ends}, which is not what block {block.height} of {audit} was committed with: the end of the state was lost, or "
            "something else writes to it; restore the topic, or begin anew with another app_id"
        )
