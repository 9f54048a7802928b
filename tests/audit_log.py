"""Audit logs made for tests: honest ones, and what somebody with the right to write could do to them."""

from collections.abc import Sequence

import numpy as np

from monitor.audit.stored import Stored
from monitor.effects.audit import Position, build_block, genesis_block
from monitor.effects.block import fields_of, hash_block, read_block, write_block
from monitor.effects.decisions import DECISION, Ids

VERSIONS = {"monitor": "0.1.0", "model": "m-1"}
RECORDS = 5


def log_of(
    partition: int = 0, blocks: int = 6, seed: int = 0, app_id: str = "app", topic_id: str = "Zk3"
) -> list[Stored]:
    """A genesis block and `blocks` of RECORDS decisions each; Kafka offsets two apart, as a transaction's marker leaves them."""
    value, position = genesis_block(
        app_id=app_id, topic="transactions", topic_id=topic_id, partition=partition, start=100, alerts_from_offset=100,
        versions=VERSIONS, schema_id=7,
    )  # fmt: skip
    log = [Stored(partition, 0, value)]
    for number in range(blocks):
        value, position = next_block(position, seed)
        log.append(Stored(partition, 2 * (number + 1), value))
    return log


def next_block(position: Position, seed: int = 0) -> tuple[bytes, Position]:
    first = position.last_offset + 1
    made = np.zeros(RECORDS, DECISION)
    made["offset"] = np.arange(first, first + RECORDS)
    made["score"] = np.random.default_rng((seed, first)).random(RECORDS)
    texts = [id_of(position.partition, offset).encode() for offset in made["offset"].tolist()]
    lengths = np.array([len(text) for text in texts], np.int32)
    starts = np.concatenate([[0], np.cumsum(lengths[:-1])]).astype(np.int64)
    ids = Ids(np.frombuffer(b"".join(texts), np.uint8), starts, lengths)
    return build_block(
        position, made, ids, alerts=0, watermark_ms=1_790_000_000_000, changelog_records=RECORDS, changelog_tail=bytes(32),
        versions=VERSIONS, schema_id=7,
    )  # fmt: skip


def id_of(partition: int, offset: int) -> str:
    """The transaction at this offset of such a log; each comes again 25 offsets later."""
    return f"t-{partition}-{offset % 25}"


def resealed(stored: Stored, **changes: object) -> Stored:
    """The block with these fields changed and its hash made anew, as somebody who knows the format would do it."""
    fields = {**fields_of(read_block(stored.value)), **changes}
    return stored._replace(value=write_block({**fields, "block_hash": hash_block(fields)}, 7))


def unsealed(stored: Stored, **changes: object) -> Stored:
    """The block with these fields changed, its hash left as it was."""
    return stored._replace(value=write_block({**fields_of(read_block(stored.value)), **changes}, 7))


def with_decision(stored: Stored, index: int, byte: int, change: int = 1) -> Stored:
    """One byte of one decision changed, nothing else."""
    decisions = bytearray(read_block(stored.value).decisions.tobytes())
    decisions[index * DECISION.itemsize + byte] ^= change
    return unsealed(stored, decisions=bytes(decisions))


def moved(log: Sequence[Stored]) -> list[Stored]:
    """The same blocks at the Kafka offsets that their places give them."""
    return [stored._replace(offset=2 * place) for place, stored in enumerate(log)]
