"""What a worker holds of the broker: a `Log` and a `Writer` as `monitor.wire.log` asks for them. Blocking: each call takes virtual time."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from monitor.effects.message import Message
from monitor.errors import CommitError, FencedError
from monitor.failpoints import Reach
from monitor.wire.log import Tail
from tests.simulation.broker import Broker, Entry, Fenced
from tests.simulation.world import Process, World

LATENCY_S = 0.004
"""A request takes up to this long."""

COMMIT_TIMEOUT_S = 4.0
"""After which a producer gives up on a commit."""

TRANSACTION_TIMEOUT_S = 9.0
"""After which the broker aborts what is still open: later than the producer gives up."""

TOPIC_ID = "simulated"


class SimLog:
    """The broker's topics as a read_committed reader sees them. Implements `monitor.wire.log.Log`."""

    def __init__(
        self, world: World, broker: Broker, process: Process, group_offset: Callable[[int], int | None]
    ) -> None:
        self._world, self._broker, self._process, self._group_offset = world, broker, process, group_offset

    def topic_id(self, topic: str) -> str:
        """There is one source topic, never made anew."""
        return TOPIC_ID

    def watermarks(self, topic: str, partition: int) -> tuple[int, int]:
        """First offset held, and the end."""
        self._wait()
        log = self._broker.log(topic, partition)
        return log.first, log.end

    def tail(self, topic: str, partition: int) -> Tail | None:
        """The last committed data record."""
        self._wait()
        return _tail(self._broker.log(topic, partition).tail())

    def first_from(self, topic: str, partition: int, offset: int) -> Tail | None:
        """The first committed record at or after `offset`."""
        self._wait()
        return _tail(next(self._broker.log(topic, partition).committed(offset), None))

    def offset_at_time(self, topic: str, partition: int, time_ms: int) -> int:
        """The first offset whose timestamp is at least `time_ms`; the end of the log when there is none."""
        self._wait()
        log = self._broker.log(topic, partition)
        return next((entry.offset for entry in log.entries if entry.timestamp >= time_ms), log.end)

    def first_unreadable(self, topic: str, partition: int, offset: int) -> int | None:
        """All can be read."""
        return None

    def group_offset(self, group: str, topic: str, partition: int) -> int | None:
        """What the group has committed."""
        self._wait()
        return self._group_offset(partition)

    def read_through(self, topic: str, partition: int, last: int) -> Iterator[tuple[list[bytes], list[bytes | None]]]:
        """Keys and values up to offset `last`, in one batch or several; each takes time, in which the log may be compacted."""
        self._wait()
        random = self._world.random
        at, size = 0, random.choice((7, 1_000, 1_000))
        slow = random.random() * 2 if random.random() < 0.1 else 0.0
        while at <= last:
            keys: list[bytes] = []
            values: list[bytes | None] = []
            for entry in self._broker.log(topic, partition).committed(at, last + 1):
                keys.append(entry.key or b"")
                values.append(entry.value)
                at = entry.offset + 1
                if len(keys) == size:
                    break
            else:
                at = last + 1
            yield keys, values
            self._world.pause(self._process, slow)
            self._wait()

    def _wait(self) -> None:
        self._world.pause(self._process, self._world.random.random() * LATENCY_S)


def _tail(entry: Entry | None) -> Tail | None:
    return None if entry is None else Tail(entry.offset, entry.key, entry.value, entry.timestamp)


class SimWriter:
    """The producer of one transactional id. Implements `monitor.wire.log.Writer`.

    `fault()` says how the next commit goes wrong: "" not at all; "refused": the request to commit never arrives, and the producer gives up;
    "unknown": it is committed, and the answer never arrives; "late": the same, and it is committed after the producer gave up; "slow": it is
    committed and answered, after a long time.
    """

    def __init__(
        self, world: World, broker: Broker, process: Process, name: str, reach: Reach, fault: Callable[[], str]
    ) -> None:
        self._world, self._broker, self._process = world, broker, process
        self._name, self._reach, self._fault = name, reach, fault
        self._epoch, self._fences = -1, 0

    def fence(self) -> None:
        """Become the only producer of this transactional id."""
        self._wait()
        self._wait_until_complete()
        self._epoch = self._broker.fence(self._name, self._process)
        self._fences = len(self._broker.owners(self._name))
        self._wait()

    def commit(self, messages: Iterable[Message]) -> None:
        """Write all in one transaction. Raises `FencedError` and `CommitError`."""
        try:
            self._commit(list(messages))
        except Fenced:
            self._process.fenced_by += self._broker.owners(self._name)[self._fences :]
            raise FencedError(f"{self._name}: another worker owns this partition now") from None

    def _commit(self, messages: list[Message]) -> None:
        world, broker = self._world, self._broker
        fault = self._fault()
        self._wait_until_complete()
        transaction = broker.begin(self._name, self._epoch)
        world.after(TRANSACTION_TIMEOUT_S, None, broker.expire, self._name, transaction)
        sent = world.random.randrange(len(messages) + 1)  # produced is not sent: the rest waits in the client
        self._send(messages[:sent], transaction)
        self._reach("run_produced")
        self._wait()
        self._send(messages[sent:], transaction)
        answers: list[bool] = []
        if fault != "refused":
            slow = {"slow": 0.9 * COMMIT_TIMEOUT_S, "late": 1.2 * COMMIT_TIMEOUT_S}.get(fault, 0.0)
            delay = world.random.random() * LATENCY_S + slow
            spread = world.random.choice((0.0, 0.0, 0.0, 0.02, 1.0))
            world.after(delay, None, self._request, transaction, spread, answers)
            if fault in ("", "slow"):
                while not answers:
                    world.pause(self._process, delay)
                if not answers[0]:
                    raise Fenced(self._name)
                self._wait()
                return
        world.pause(self._process, COMMIT_TIMEOUT_S)
        raise CommitError(f"{self._name}: nobody answers; it may be committed or not ({fault})")

    def _send(self, messages: list[Message], transaction: Any) -> None:
        now_ms = int(self._world.now * 1000)
        for message in messages:
            self._broker.write(self._name, self._epoch, transaction, message, now_ms)

    def _request(self, transaction: Any, spread: float, answers: list[bool]) -> None:
        """The request to commit arrives at the broker, whatever became of the one who sent it."""
        try:
            self._broker.commit(self._name, self._epoch, transaction, spread)
        except Fenced:
            answers.append(False)
        else:
            answers.append(True)

    def _wait_until_complete(self) -> None:
        while self._broker.is_completing(self._name):
            self._world.pause(self._process, 0.01)

    def _wait(self) -> None:
        self._world.pause(self._process, self._world.random.random() * LATENCY_S)
