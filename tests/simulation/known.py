"""Work that depends on bytes alone, done once: histories share streams, and so the same records are decoded thousands of times.

Only functions without state, whose arguments say everything, stand here: decoding and admission of a stretch of a partition, which are cut out of
what the whole partition came to, and reading and proving an audit block. One history in `EVERY` does without.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from monitor import pipeline, takeover
from monitor.effects import audit
from monitor.effects.block import Block, read_block
from monitor.errors import ProtocolError
from monitor.guard.dedupe import identity
from monitor.guard.validate import Admission, admit
from monitor.simulate.spec import DAY_MS
from monitor.wire.columns import Columns
from monitor.wire.decode import decode

EVERY = 50
"""One history in so many computes all of it anew."""

MOST_BLOCKS = 20_000

_parts: dict[int, tuple["_Part", int] | None] = {}
"""By the identity of a value: the partition it stands in, and where. None for a value that stands in two places."""

_blocks: dict[bytes, Block] = {}
_proved: set[Block] = set()


class _Part:
    """One partition, decoded and judged. It keeps the values alive, since they are known by their identity."""

    def __init__(self, values: Sequence[bytes | None], columns: Columns, admission: Admission) -> None:
        self.values, self.columns, self.admission = values, columns, admission
        self.identity = identity(columns)
        self.ids = list(map(id, values))


def learn(values: Sequence[bytes | None], keys: Sequence[bytes | None], context: pipeline.Context, now_ms: int) -> None:
    """Decode and judge a partition's records, at `now_ms` and a day later: no other time may make anything else of them."""
    columns = decode(values, context.readers, context.hash_key, context.max_value_bytes)
    admission, later = (admit(columns, keys, context.exchange, context.limits, at) for at in (now_ms, now_ms + DAY_MS))
    assert admission.reason.tobytes() == later.reason.tobytes(), "a record is admitted at one time and not at another"
    part = _Part(values, columns, admission)
    for at, identity_of in enumerate(part.ids):
        _parts[identity_of] = None if identity_of in _parts else (part, at)


class _Stretch(Columns):
    """Columns that know whence they were cut."""

    __slots__ = ("part", "rows")
    part: _Part
    rows: slice


def _decode(values: Sequence[bytes | None], *context: Any) -> Columns:
    part, first = _parts.get(id(values[0])) or (None, 0)
    if part is None or part.ids[first : first + len(values)] != list(map(id, values)):
        return decode(values, *context)
    rows, whole = slice(first, first + len(values)), part.columns
    cut = _Stretch(
        whole.data, whole.longs[:, rows].copy(), whole.starts[:, rows].copy(), whole.lengths[:, rows].copy(),
        whole.hashes[:, rows].copy(), whole.reason[rows].copy(), whole.schema_ids[rows].copy(),
    )  # fmt: skip
    object.__setattr__(cut, "part", part)
    object.__setattr__(cut, "rows", rows)
    return cut


def _admit(columns: Columns, *rest: Any) -> Admission:
    if not isinstance(columns, _Stretch):
        return admit(columns, *rest)
    rows, whole = columns.rows, columns.part.admission
    return Admission(whole.reason[rows].copy(), whole.base_amount[rows].copy(), whole.country[rows].copy())


def _identity(columns: Columns) -> Any:
    if not isinstance(columns, _Stretch):
        return identity(columns)
    keys, digests = columns.part.identity
    return keys[columns.rows].copy(), digests[columns.rows].copy()


def block_of(value: bytes) -> Block:
    """An audit block; each is read once."""
    found = _blocks.get(value)
    if found is None:
        if len(_blocks) > MOST_BLOCKS:
            _blocks.clear()
            _proved.clear()
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


@contextmanager
def at_hand() -> Iterator[None]:
    """While this is entered, the product looks up what is known."""
    pipeline.decode, pipeline.admit, pipeline.identity = _decode, _admit, _identity  # type: ignore[assignment]
    takeover.read_block, takeover.verify_block = block_of, prove
    try:
        yield
    finally:
        pipeline.decode, pipeline.admit, pipeline.identity = decode, admit, identity
        takeover.read_block, takeover.verify_block = read_block, audit.verify_block
