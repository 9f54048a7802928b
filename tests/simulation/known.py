"""Work that was done before, byte by byte the same: histories share streams, and most of them what their runs are made of.

Only functions without state stand here, and whatever they depend on is what they are looked up by: a run is known by its records, the accounts as they
are in memory and the position; an audit block by its bytes. One history in `EVERY` looks nothing up, and cuts its runs anywhere.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from typing import Any

import numpy as np

from monitor import partition, pipeline, takeover
from monitor.effects import audit
from monitor.effects.block import Block, read_block
from monitor.errors import ProtocolError
from monitor.state.accounts import Accounts
from monitor.state.key_index import KeyIndex
from monitor.wire.records import Records, Run

EVERY = 16
"""One history in so many does all of it itself."""

MOST_RUNS = 2_000
"""Some 50 kB each."""

Held = tuple[bytes, tuple[bytes, ...], bytes, bytes, int]
"""Accounts: their records, the ids by slot, which slots are taken, which are free and in what order, and where the hand of the sweep stands."""

_stream = -1
_runs: dict[Any, tuple[pipeline.Decided, bytes, KeyIndex, int]] = {}
_columns: dict[tuple[int, ...], Records] = {}
_blocks: dict[bytes, Block] = {}
_proved: set[Block] = set()
_genesis: dict[Any, tuple[bytes, audit.Position]] = {}


def are_of(number: int) -> None:
    """From now on histories are of this stream: what is known of another is of no use."""
    global _stream
    if number != _stream:
        _stream = number
        _runs.clear()
        _columns.clear()
        _blocks.clear()
        _proved.clear()


def held(accounts: Accounts) -> Held:
    """All there is to them."""
    index = accounts._index
    taken = index.is_taken(0, index.high)
    used, freed = accounts._records[: index.high], index._freed[: index.high - len(index)]
    return used.tobytes(), tuple(index), taken.tobytes(), freed.tobytes(), accounts._hand


def columns(entries: Sequence[Any]) -> Records:
    """The entries of a stream as a fetch hands them over. They live as long as their stream: none has the identity of another."""
    key = tuple(map(id, entries))
    found = _columns.get(key)
    if found is None:
        found = Records.of(entries)
        if len(_columns) < MOST_RUNS:
            _columns[key] = found
    return found


def decide_run(run: Run, accounts: Accounts, position: audit.Position, context: Any, now_ms: int, lap: Any) -> Any:
    """`pipeline.decide_run`, or what it came to before; the accounts are changed all the same."""
    before = held(accounts)
    key = (run.records.offsets.tobytes(), run.after, run.partition, position, before, id(context), now_ms)
    found = _runs.get(key)
    if found is None:
        decided = pipeline.decide_run(run, accounts, position, context, now_ms, lap)
        if len(_runs) < MOST_RUNS:
            _runs[key] = (
                decided,
                accounts._records[: accounts._index.high].tobytes(),
                _copied(accounts._index),
                accounts._hand,
            )
        return decided
    decided, records, index, hand = found
    accounts._grow(index.high)
    accounts._records[: index.high] = np.frombuffer(records, accounts._records.dtype)
    accounts._index, accounts._hand = _copied(index), hand
    return decided


def _copied(index: KeyIndex) -> KeyIndex:
    """Its arrays are changed in place."""
    other = copy(index)
    for name, value in vars(index).items():
        if isinstance(value, np.ndarray):
            setattr(other, name, value.copy())
    return other


def genesis_block(**given: Any) -> tuple[bytes, audit.Position]:
    """`audit.genesis_block`; versions are one mapping for all."""
    key = tuple(id(each) if name == "versions" else each for name, each in given.items())
    found = _genesis.get(key)
    if found is None:
        found = _genesis[key] = audit.genesis_block(**given)
    return found


def block_of(value: bytes) -> Block:
    """An audit block; each is read once."""
    found = _blocks.get(value)
    if found is None:
        found = _blocks[value] = read_block(value)
    return found


def prove(block: Block, previous: audit.Position | None = None) -> None:
    """`verify_block`: what a block says of itself is proved once, that it follows `previous` each time."""
    if block not in _proved:
        audit.verify_block(block, None)
        _proved.add(block)
    if previous is not None:
        for problem in audit._chain_problems(block, previous):
            raise ProtocolError(f"audit block {block.height}: {problem}")


class _Deciding:
    """The pipeline as `monitor.partition` sees it, but for one function."""

    decide_run = staticmethod(decide_run)


@contextmanager
def at_hand() -> Iterator[None]:
    """While this is entered, the product looks up what is known."""
    partition.pipeline = _Deciding  # type: ignore[assignment]
    takeover.read_block, takeover.verify_block, takeover.genesis_block = block_of, prove, genesis_block
    try:
        yield
    finally:
        partition.pipeline = pipeline
        takeover.read_block, takeover.verify_block = read_block, audit.verify_block
        takeover.genesis_block = audit.genesis_block
