"""The audit log: one block a run, chained by hash; the commit log of its partition. Bytes and proofs: docs/audit.md.

A block covers the offsets after the previous block's last up to its own; the genesis block covers none and fixes the start.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.effects import merkle
from monitor.effects.block import FORMAT, Block, fields_of, hash_block, seal
from monitor.effects.changelog import NO_TAIL
from monitor.effects.decisions import DECISION, MAX_ID_BYTES, NO_LEAVES, Ids, Leaves, Survey, entries, leaves, survey_of
from monitor.errors import ProtocolError

NO_HASH = bytes(merkle.HASH_BYTES)
"""The previous hash of a genesis block."""

NO_WATERMARK = 0
"""The watermark of a partition that has scored nothing: admission takes no event time before the year 2000."""

HEADER_ALLOWANCE_BYTES = 4096
"""Allowed for everything in a block but its decisions and ids: names, versions, hashes."""


@dataclass(frozen=True, slots=True)
class Position:
    """What the next block of a partition needs of the one before.

    `watermark_ms` is the greatest event time scored so far (`NO_WATERMARK`: none), `changelog_tail` the digest of the last
    changelog message with a value (`NO_TAIL`: none).
    """

    app_id: str
    topic: str
    topic_id: str
    partition: int
    height: int
    last_offset: int
    alerts_from_offset: int
    watermark_ms: int
    changelog_tail: bytes
    block_hash: bytes


def block_bytes_at_most(records: int) -> int:
    """The largest a block of so many records can be, in bytes: what the audit topic's max.message.bytes must allow."""
    return HEADER_ALLOWANCE_BYTES + records * (DECISION.itemsize + MAX_ID_BYTES)


def genesis_block(
    *,
    app_id: str,
    topic: str,
    topic_id: str,
    partition: int,
    start: int,
    alerts_from_offset: int,
    versions: Mapping[str, str],
    schema_id: int,
) -> tuple[bytes, Position]:
    """The first block of a partition: height 0, no records, reading begins at offset `start`. `(Kafka value, position after it)`."""
    before = Position(
        app_id, topic, topic_id, partition, -1, start - 1, alerts_from_offset, NO_WATERMARK, NO_TAIL, NO_HASH
    )
    return _seal(before, NO_LEAVES, _Effects(0, NO_WATERMARK, 0, None), versions, schema_id)


def build_block(
    position: Position,
    decisions: NDArray[np.void],
    ids: Ids,
    *,
    alerts: int,
    watermark_ms: int,
    changelog_records: int,
    changelog_tail: bytes | None,
    versions: Mapping[str, str],
    schema_id: int,
) -> tuple[bytes, Position]:
    """The block of a run: `(Kafka value, position after it)`.

    `decisions` is `DECISION`[records], in offset order, duplicates and dead letters included; `id_length` is filled in here from
    `ids`. `alerts` is how many alerts the run sends, `watermark_ms` the partition's watermark after it, `changelog_records` how many
    changelog messages it writes, and `changelog_tail` the digest of the last of them with a value (`changelog_tail()`; None: it
    wrote none, and the position's stands). The block ends at the last decision's offset. Raises `ProtocolError` when
    offsets do not ascend beyond `position.last_offset`, the watermark falls, or counts contradict each other.
    """
    if not len(decisions) == len(ids.starts) == len(ids.lengths) or not len(decisions):
        raise ProtocolError(
            f"audit block: {len(decisions)} decisions for {len(ids.starts)} ids; one each, at least one"
        )
    effects = _Effects(alerts, watermark_ms, changelog_records, changelog_tail)
    return _seal(position, leaves(decisions, ids), effects, versions, schema_id)


def position_of(block: Block) -> Position:
    """What the block after `block` needs of it."""
    return Position(**{name: getattr(block, name) for name in Position.__slots__})


def verify_block(block: Block, previous: Position | None) -> None:
    """Raise `ProtocolError`, naming what differs, unless `block` is whole and follows `previous`.

    With `previous` None the block is checked by itself, and only a genesis block shows that nothing came before it.
    """
    for problem in _problems(block, previous):
        raise ProtocolError(
            f"audit block {block.height} of {block.topic}[{block.partition}]: {problem}; "
            "the audit log was altered or two installations write to it: compare with a copy, do not go on"
        )


@dataclass(frozen=True, slots=True)
class _Effects:
    """What a run leaves behind beside its decisions; `changelog_tail` is None when it wrote no changelog record with a value."""

    alerts: int
    watermark_ms: int
    changelog_records: int
    changelog_tail: bytes | None


def _seal(
    before: Position,
    leaves: Leaves,
    effects: _Effects,
    versions: Mapping[str, str],
    schema_id: int,
) -> tuple[bytes, Position]:
    survey = leaves.survey
    fields: dict[str, Any] = {
        "format": FORMAT,
        "app_id": before.app_id,
        "topic": before.topic,
        "topic_id": before.topic_id,
        "partition": before.partition,
        "height": before.height + 1,
        "first_offset": before.last_offset + 1,
        "last_offset": survey.last if survey.records else before.last_offset,
        "alerts_from_offset": before.alerts_from_offset,
        "records": survey.records,
        "scored": survey.scored,
        "duplicates": survey.duplicates,
        "dead_letters": survey.dead_letters,
        "alerts": effects.alerts,
        "watermark_ms": effects.watermark_ms,
        "changelog_records": effects.changelog_records,
        "changelog_tail": before.changelog_tail if effects.changelog_tail is None else effects.changelog_tail,
        "versions": versions,
        "decisions": leaves.decisions,
        "transaction_ids": leaves.texts,
        "merkle_root": leaves.root,
        "previous_hash": before.block_hash,
    }
    for problem in (*_content_problems(fields, survey), *_progress_problems(fields, before)):
        raise ProtocolError(f"audit block {before.height + 1} of {before.topic}[{before.partition}]: {problem}")
    value, fields["block_hash"] = seal(fields, schema_id)
    return value, Position(**{name: fields[name] for name in Position.__slots__})


def _problems(block: Block, previous: Position | None) -> Iterator[str]:
    fields = fields_of(block)
    yield from _content_problems(fields, survey_of(block.decisions))
    texts = np.frombuffer(block.transaction_ids, np.uint8)
    total = int(block.decisions["id_length"].sum(dtype=np.int64))
    if total != len(texts):
        yield f"transaction_ids has {len(texts)} bytes, its decisions say {total}"
    tree = merkle.root([merkle.leaf_hash(entry) for entry in entries(block.decisions, texts)])
    if tree != block.merkle_root:
        yield f"merkle_root is {block.merkle_root.hex()}, its decisions hash to {tree.hex()}"
    if (own := hash_block(fields)) != block.block_hash:
        yield f"block_hash is {block.block_hash.hex()}, its content hashes to {own.hex()}"
    if previous is not None:
        yield from _chain_problems(block, previous)


def _content_problems(fields: Mapping[str, Any], survey: Survey) -> Iterator[str]:
    """What numbers in one block contradict each other."""
    records, scored, first, last = survey.records, survey.scored, fields["first_offset"], fields["last_offset"]
    counts = {name: getattr(survey, name) for name in ("records", "scored", "duplicates", "dead_letters")}
    for name, count in counts.items():
        if fields[name] != count:
            yield f"{name} is {fields[name]}, its decisions have {count}"
    if scored + survey.duplicates + survey.dead_letters != records:
        yield f"records is {records}, but {counts} do not add up to it: an unknown disposition"
    if not 0 <= fields["alerts"] <= scored:
        yield f"alerts is {fields['alerts']}, with {scored} scored"
    if (records == 0) != (fields["height"] == 0):
        yield f"height is {fields['height']} with {records} records; the genesis block alone has none"
    if records and not (survey.first >= first and survey.last == last and survey.ascending):
        yield f"decisions have offsets {survey.first} to {survey.last}, not ascending within {first} to {last}"
    if records == 0 and last != first - 1:
        yield f"last_offset is {last}; without records it is first_offset - 1 = {first - 1}"
    if fields["height"] == 0 and fields["previous_hash"] != NO_HASH:
        yield f"previous_hash is {fields['previous_hash'].hex()} in a genesis block"
    yield from _state_problems(fields, scored)


def _state_problems(fields: Mapping[str, Any], scored: int) -> Iterator[str]:
    """What the block says of the state and its own counts contradict each other."""
    written, tail, watermark = fields["changelog_records"], fields["changelog_tail"], fields["watermark_ms"]
    if written < 0 or (scored and not written):
        yield f"changelog_records is {written}, with {scored} scored: each of them changes an account"
    if len(tail) != len(NO_TAIL):
        yield f"changelog_tail has {len(tail)} bytes, not {len(NO_TAIL)}"
    if watermark < NO_WATERMARK or (scored and watermark == NO_WATERMARK):
        yield f"watermark_ms is {watermark}, with {scored} scored"
    if fields["height"] == 0 and (written, tail, watermark) != (0, NO_TAIL, NO_WATERMARK):
        yield f"a genesis block has no state, this one has {written} changelog records, tail {tail.hex()}, watermark {watermark}"


def _progress_problems(fields: Mapping[str, Any], previous: Position) -> Iterator[str]:
    """What of the state cannot follow `previous`."""
    if fields["watermark_ms"] < previous.watermark_ms:
        yield f"watermark_ms is {fields['watermark_ms']}, below the {previous.watermark_ms} of the block before: it never falls"
    if not fields["changelog_records"] and fields["changelog_tail"] != previous.changelog_tail:
        yield (
            f"changelog_tail is {fields['changelog_tail'].hex()}; without changelog records it is that of the block before, "
            f"{previous.changelog_tail.hex()}"
        )


def _chain_problems(block: Block, previous: Position) -> Iterator[str]:
    expected = {
        "app_id": previous.app_id,
        "topic": previous.topic,
        "topic_id": previous.topic_id,
        "partition": previous.partition,
        "height": previous.height + 1,
        "first_offset": previous.last_offset + 1,
        "alerts_from_offset": previous.alerts_from_offset,
        "previous_hash": previous.block_hash,
    }
    for name, value in expected.items():
        if getattr(block, name) != value:
            yield f"{name} is {getattr(block, name)!r}, the block before makes it {value!r}"
    yield from _progress_problems(fields_of(block), previous)
