"""The streams that all systems read: simulated payments, some of them late, none of them twice, corrupt, or later than our ring.

Everything is drawn from seeds and ends at a fixed time in the past: equal arguments give equal bytes, whenever and wherever.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from confluent_kafka import Producer
from numpy.typing import NDArray

from benchmarks.installation import named
from benchmarks.race.broker import PARTITIONS
from monitor.simulate.batch import Batch
from monitor.simulate.messages import transaction_messages
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate
from monitor.wire.murmur2 import partition_of

START_MS = 1_735_689_600_000
"""2025-01-01T00:00:00Z: whatever the clock says, no event is in the future."""

TRANSACTION_SCHEMA_ID = 1
SKEWED_ACCOUNTS, UNIFORM_ACCOUNTS = 6_000, 1_000_000
LATE_SHARE = 0.01
BACK = 8
"""A late event is put half-way back to the account's eighth event before: well within the ring of 16, so that it is folded."""


@dataclass(frozen=True)
class Stream:
    """`count` transactions: `keys` is skewed (the simulator's accounts, some of them busy), uniform (drawn at random), or lonely: skewed,
    all of them accounts of partition 0, so that the other partitions stay empty.
    """

    keys: str
    count: int
    accounts: int
    seed: int = 5

    @cached_property
    def batches(self) -> list[Batch]:
        """In order of arrival."""
        uniform = self.keys == "uniform"
        spec = SimulationSpec(
            seed=self.seed,
            transactions=self.count,
            accounts=None if uniform else self.accounts,
            start_ms=START_MS,
            duplicates=0.0,
        )
        batches = list(generate(spec))
        if uniform:
            draw = np.random.default_rng(self.seed)
            batches = [replace(each, account_id=named(draw.integers(0, self.accounts, len(each)))) for each in batches]
        if self.keys == "lonely":
            batches = renamed(batches)
        times = with_late_ones(
            np.concatenate([each.account_id for each in batches]),
            np.concatenate([each.event_time for each in batches]),
            self.seed,
        )
        ends = np.cumsum([len(each) for each in batches])
        return [replace(each, event_time=part) for each, part in zip(batches, np.split(times, ends[:-1]), strict=True)]

    @cached_property
    def transaction_ids(self) -> NDArray[np.bytes_]:
        """bytes[count], each another."""
        found = np.concatenate([each.transaction_id for each in self.batches])
        assert np.unique(found).size == self.count, "a transaction id comes twice"
        return found

    def messages(self, count: int) -> Iterator[tuple[list[bytes], list[bytes]]]:
        """Keys and values of the first `count`."""
        for batch in self.batches:
            part = batch.rows(slice(0, count)) if len(batch) > count else batch
            if not len(part):
                return
            made = transaction_messages(part, TRANSACTION_SCHEMA_ID)
            yield made.keys, made.values  # type: ignore[misc]
            count -= len(part)


def renamed(batches: list[Batch]) -> list[Batch]:
    """The same transactions of as many other accounts, whose ids are all placed into partition 0."""
    old = np.unique(np.concatenate([each.account_id for each in batches]))
    candidates = named(np.arange(2 * PARTITIONS * len(old) + 100))
    new = [each for each in candidates.tolist() if partition_of(each, PARTITIONS) == 0][: len(old)]
    assert len(new) == len(old), "too few candidates"
    names = np.array(new)
    return [replace(each, account_id=names[np.searchsorted(old, each.account_id)]) for each in batches]


def with_late_ones(account: NDArray[np.bytes_], time_ms: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """The event times with a share of them moved back between earlier events of the same account; int64[n] in, int64[n] out."""
    order = np.argsort(account, kind="stable")
    ids, times = account[order], time_ms[order]
    first = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]])
    number = np.arange(len(ids)) - np.repeat(first, np.diff(np.r_[first, len(ids)]))
    chosen = np.flatnonzero((np.random.default_rng(seed).random(len(ids)) < LATE_SHARE) & (number >= 2))
    newest, oldest = times[chosen - 1], times[chosen - np.minimum(BACK, number[chosen])]
    late = (newest + oldest) // 2
    kept = late > oldest  # then it is after all that the ring has let go
    moved = times.copy()
    moved[chosen[kept]] = late[kept]
    back = np.empty_like(moved)
    back[order] = moved
    return back


def load(brokers: str, topic: str, stream: Stream, count: int) -> None:
    """Write the first `count` to `topic`, as Java's producers would place them."""
    failed: list[str] = []
    producer = Producer(
        {
            "bootstrap.servers": brokers,
            "partitioner": "murmur2_random",
            "linger.ms": 50,
            "batch.size": 1 << 20,
            "compression.type": "lz4",
            "enable.idempotence": True,
            "queue.buffering.max.messages": 500_000,
        }
    )

    def told(error: object, _message: object) -> None:
        if error is not None:
            failed.append(str(error))

    for keys, values in stream.messages(count):
        for key, value in zip(keys, values, strict=True):
            while True:
                try:
                    producer.produce(topic, value, key, on_delivery=told)
                    break
                except BufferError:
                    producer.poll(0.1)
        producer.poll(0)
    if producer.flush(300) or failed:
        raise SystemExit(f"{topic}: not written: {failed[:1]}")
