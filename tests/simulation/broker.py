"""A broker in memory: logs with transactions as Kafka keeps them.

A transaction's records stand in the log from the moment they are written; a marker that commits or aborts them takes an offset of its
own. A read_committed reader sees nothing at or behind the first record of a transaction that is still open in that log. The markers of one
transaction are written log by log: until the last one is, another may not begin, and its transactional id cannot be fenced.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from monitor.effects.message import Message
from tests.simulation.world import Process, World

OPEN, PREPARED, COMMITTED, ABORTED = "open", "prepared", "committed", "aborted"


class Transaction:
    """`state` OPEN, then PREPARED while a commit's markers are written, then COMMITTED; or ABORTED. `logs`: where it wrote."""

    __slots__ = ("commits", "logs", "state")

    def __init__(self) -> None:
        self.state = OPEN
        self.commits = False
        self.logs: list[PartitionLog] = []


class Entry(NamedTuple):
    """A record, or a marker: `is_marker`. `transaction` None for a record written outside of one."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    timestamp: int
    transaction: Transaction | None
    is_marker: bool = False

    timestamp_type = 0  # what else a consumer's record has


class PartitionLog:
    """One partition of one topic."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.first = self.end = 0
        self._offsets: list[int] = []
        self._open: dict[Transaction, int] = {}

    @property
    def stable_end(self) -> int:
        """The last stable offset: a read_committed reader gets no further."""
        return min(self._open.values()) if self._open else self.end

    def append(
        self,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]] = (),
        time_ms: int = 0,
        transaction: Transaction | None = None,
    ) -> int:
        """The record's offset."""
        if transaction is not None and transaction not in self._open:
            self._open[transaction] = self.end
            transaction.logs.append(self)
        return self._put(Entry(self.end, key, value, headers, time_ms, transaction))

    def replay(self, entries: Sequence[Entry]) -> None:
        """Append what was laid out before, offsets and all; a transaction's fate is known to it, though not yet to its readers."""
        for entry in entries:
            assert entry.offset == self.end
            if entry.is_marker:
                del self._open[entry.transaction]  # type: ignore[arg-type]
            elif entry.transaction is not None:
                self._open.setdefault(entry.transaction, entry.offset)
            self._put(entry)

    def mark(self, transaction: Transaction) -> None:
        """Write the transaction's marker: what it wrote here is decided."""
        del self._open[transaction]
        self._put(Entry(self.end, None, None, (), 0, transaction, is_marker=True))

    def committed(self, offset: int = 0, below: int | None = None) -> Iterator[Entry]:
        """What a read_committed reader sees from `offset` on, and below `below`."""
        end = self.stable_end if below is None else min(below, self.stable_end)
        entries = self.entries
        for at in range(bisect_left(self._offsets, offset), len(entries)):
            entry = entries[at]
            if entry.offset >= end:
                return
            if not entry.is_marker and (entry.transaction is None or entry.transaction.commits):
                yield entry

    def tail(self) -> Entry | None:
        """The last record that a read_committed reader sees."""
        end = self.stable_end
        for entry in reversed(self.entries):
            if entry.offset < end and not entry.is_marker and (entry.transaction is None or entry.transaction.commits):
                return entry
        return None

    def compact(self, below: int, *, drop_tombstones: bool) -> None:
        """Keep the last committed record of each key, below `below` at most; markers and aborted records go."""
        below = min(below, self.stable_end)
        last = {entry.key: entry.offset for entry in self.committed()}
        kept = [
            entry
            for entry in self.entries
            if entry.offset >= below
            or (
                not entry.is_marker
                and last.get(entry.key) == entry.offset
                and not (drop_tombstones and entry.value is None)
            )
        ]
        self.entries, self._offsets = kept, [entry.offset for entry in kept]

    def drop_below(self, offset: int) -> None:
        """Retention: forget what is before `offset`, which is not beyond the stable end."""
        at = bisect_left(self._offsets, offset)
        del self.entries[:at], self._offsets[:at]
        self.first = max(self.first, offset)

    def _put(self, entry: Entry) -> int:
        self.entries.append(entry)
        self._offsets.append(entry.offset)
        self.end += 1
        return entry.offset


class Fenced(Exception):
    """The producer's epoch is not the newest of its transactional id."""


class Broker:
    """Topics, producers and their transactions. Nothing here takes time; whoever asks takes it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.logs: dict[tuple[str, int], PartitionLog] = defaultdict(PartitionLog)
        self._epochs: dict[str, int] = {}
        self._owners: dict[str, list[Process]] = defaultdict(list)
        self._transactions: dict[str, Transaction] = {}
        self.listeners: list[Any] = []

    def log(self, topic: str, partition: int) -> PartitionLog:
        """The log of a partition; there is always one."""
        return self.logs[topic, partition]

    def is_completing(self, name: str) -> bool:
        """Whether a commit of the transactional id `name` is decided and not yet marked everywhere: nothing else can be done with it."""
        transaction = self._transactions.get(name)
        return transaction is not None and transaction.state == PREPARED

    def is_quiet(self) -> bool:
        """Whether no transaction is open anywhere."""
        return all(each.state not in (OPEN, PREPARED) for each in self._transactions.values())

    def owners(self, name: str) -> list[Process]:
        """Who fenced this transactional id, one after the other."""
        return self._owners[name]

    def fence(self, name: str, by: Process) -> int:
        """Abort what is open under this transactional id; the epoch of the one producer that may use it from now on."""
        self._owners[name].append(by)
        transaction = self._transactions.get(name)
        if transaction is not None and transaction.state == OPEN:
            self._abort(transaction)
        self._epochs[name] = self._epochs.get(name, -1) + 1
        return self._epochs[name]

    def begin(self, name: str, epoch: int) -> Transaction:
        """A transaction, which the broker hears of with its first record. Raises `Fenced`."""
        self._check(name, epoch)
        transaction = self._transactions[name] = Transaction()
        return transaction

    def write(self, name: str, epoch: int, transaction: Transaction, message: Message, time_ms: int) -> None:
        """Append a message within its transaction. Raises `Fenced`."""
        self._check(name, epoch)
        if transaction.state != OPEN:
            raise Fenced(name)
        self.log(message.topic, message.partition or 0).append(
            message.key, message.value, message.headers, time_ms, transaction
        )

    def commit(self, name: str, epoch: int, transaction: Transaction, spread_s: float) -> None:
        """Decide that the transaction is committed; its markers follow within `spread_s`. Raises `Fenced`."""
        self._check(name, epoch)
        if transaction.state != OPEN:
            raise Fenced(name)
        transaction.state, transaction.commits = PREPARED, True
        if spread_s == 0:
            for log in transaction.logs:
                log.mark(transaction)
            self._complete(transaction)
            return
        left = list(transaction.logs)
        self._world.random.shuffle(left)

        def mark() -> None:
            left.pop().mark(transaction)
            if left:
                self._world.after(spread_s * self._world.random.random(), None, mark)
            else:
                self._complete(transaction)

        self._world.after(spread_s * self._world.random.random(), None, mark)

    def expire(self, name: str, transaction: Transaction) -> None:
        """The transaction timeout: abort what is still open, and fence its producer."""
        if transaction.state == OPEN and transaction.logs:
            self._abort(transaction)
            self._epochs[name] += 1

    def _complete(self, transaction: Transaction) -> None:
        transaction.state = COMMITTED

    def _abort(self, transaction: Transaction) -> None:
        transaction.state = ABORTED
        for log in transaction.logs:
            log.mark(transaction)

    def _check(self, name: str, epoch: int) -> None:
        if self._epochs.get(name) != epoch:
            raise Fenced(name)

    def tell(self) -> None:
        """Transactions can be read that could not before."""
        for listener in self.listeners:
            listener()
