"""A simulation as one run of one partition, for tests that need something decided and no broker."""

from typing import Any

from monitor.clock import ManualClock
from monitor.context import Context
from monitor.deciding import DecidingContext
from monitor.effects.audit import Position, genesis_block
from monitor.pipeline import Decided, decide_run
from monitor.settings import load_settings
from monitor.simulate.messages import transaction_messages
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate
from monitor.state.accounts import Accounts
from monitor.wire.records import Record, Records, Run


def records_of(spec: SimulationSpec) -> Records:
    """Its messages, from offset 0 on; each has its offset for a timestamp."""
    messages = [transaction_messages(batch, 1) for batch in generate(spec)]
    pairs = [pair for each in messages for pair in zip(each.keys, each.values, strict=True)]
    return Records.of([Record(at, key, value, at) for at, (key, value) in enumerate(pairs)])


def deciding_at(spec: SimulationSpec, settings: Any = None) -> DecidingContext:
    """With the shipped model, or what the settings say, at the simulation's end."""
    return DecidingContext(settings or load_settings(environ={}), ManualClock(spec.end_ms))


def beginning(partition: int = 0) -> tuple[bytes, Position]:
    """The genesis block of a partition of topic `t`, and the position behind it."""
    return genesis_block(
        app_id="a",
        topic="t",
        topic_id="i",
        partition=partition,
        start=0,
        alerts_from_offset=0,
        versions={},
        schema_id=1,
    )


def decided_at_once(
    records: Records, context: Context, spec: SimulationSpec, partition: int = 0
) -> tuple[Run, Decided]:
    """All of them in one run of fresh accounts."""
    run = Run("t", partition, -1, records)
    return run, decide_run(run, Accounts(), beginning(partition)[1], context, spec.end_ms)
