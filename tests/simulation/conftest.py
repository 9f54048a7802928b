"""An installation in memory: a partition's log of transactions, and a broker that keeps what transactions commit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from monitor.clock import ManualClock
from monitor.deciding import DecidingContext
from monitor.effects.audit import Position, genesis_block, position_of
from monitor.effects.block import read_block
from monitor.effects.message import Message
from monitor.pipeline import Context, Decided, decide_run
from monitor.settings import load_settings
from monitor.simulate.messages import corrupter, transaction_messages
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate
from monitor.state.accounts import Accounts
from monitor.wire.records import Record, Run

SPEC = SimulationSpec(seed=11, transactions=3_000, accounts=60, duplicates=0.02, late=0.02, corrupt=0.02)
TOPIC_ID = "in-memory"


@dataclass
class Partition:
    """What a broker holds of one partition: transactions in, and committed messages out, in order."""

    context: Context
    records: Sequence[Record]
    now_ms: int
    committed: list[Message] = field(default_factory=list)

    def begin(self) -> None:
        """A new installation's first block."""
        names = self.context.names
        value, _ = genesis_block(
            app_id=names.app_id, topic="transactions", topic_id=TOPIC_ID, partition=0, start=0, alerts_from_offset=0,
            versions=self.context.versions, schema_id=self.context.audit_schema_id,
        )  # fmt: skip
        self.committed.append(Message(names.audit, None, value, 0, []))

    def of(self, topic: str) -> list[Message]:
        """The committed messages of one topic."""
        return [message for message in self.committed if message.topic == topic]

    def recover(self) -> tuple[Accounts, Position]:
        """What a worker that takes the partition over knows: nothing but what was committed."""
        accounts = Accounts()
        for message in self.of(self.context.names.changelog):
            assert message.key is not None
            accounts.load(message.key, message.value)
        tail = self.of(self.context.names.audit)[-1].value
        assert tail is not None
        return accounts, position_of(read_block(tail))

    def decide(self, accounts: Accounts, position: Position, size: int) -> Decided:
        """Decide the next `size` records; nothing is committed."""
        first = position.last_offset + 1
        run = Run("transactions", 0, position.last_offset, self.records[first : first + size])
        return decide_run(run, accounts, position, self.context, self.now_ms)

    def commit(self, decided: Decided) -> None:
        """All of a run, or nothing."""
        self.committed.extend(decided.messages)


@pytest.fixture(scope="session")
def records() -> list[Record]:
    """Transactions with fraud, retries, late and corrupt ones among them; offsets are places in the list."""
    spoil, made = corrupter(SPEC.seed, SPEC.corrupt), []
    for batch in generate(SPEC):
        messages = spoil(batch, transaction_messages(batch, 1))
        made += zip(messages.keys, messages.values, strict=True)
    return [Record(offset, key, value) for offset, (key, value) in enumerate(made)]


@pytest.fixture(scope="session")
def partition(records: list[Record]) -> Callable[[], Partition]:
    """`partition()`: the same transactions, nothing decided yet; about one in thirty alerts."""
    deciding = DecidingContext(load_settings(environ={}), ManualClock(SPEC.end_ms))
    context = deciding.for_records(records)
    assert context.model is not None

    def fresh(context: Context) -> Partition:
        made = Partition(context, records, SPEC.end_ms)
        made.begin()
        return made

    trial = fresh(context)
    scores = trial.decide(*trial.recover(), len(records)).scores
    review, block = np.nanquantile(scores, [0.97, 0.995])
    stricter = replace(context.model, review_threshold=float(review), block_threshold=float(block))
    return lambda: fresh(replace(context, model=stricter))
