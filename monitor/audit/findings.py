"""What an auditor is told: the first thing in a partition that is not as a chain of blocks must be, and what it was."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from monitor.audit.stored import Anchor
from monitor.effects import merkle
from monitor.effects.block import Block, fields_of, hash_block
from monitor.effects.decisions import entries
from monitor.state.dispositions import Disposition


class Kind(StrEnum):
    """Each has its line in docs/audit.md."""

    UNREADABLE = "unreadable"  # no block, or not in the one form a block has
    ALTERED_DECISION = "altered decision"  # the decisions are not those the block was sealed over
    ALTERED_BLOCK = "altered block"  # something else in the block is not what it was sealed over
    MISPLACED = "misplaced"  # the block says another partition than the one it lies in
    FOREIGN = "foreign"  # of another installation, or of another source topic
    NO_GENESIS = "no genesis"  # the log does not begin at height 0, and no checkpoint stands for what is gone
    GAP = "gap"  # blocks, or offsets, are left out
    OVERLAP = "overlap"  # offsets are decided a second time
    DUPLICATE = "duplicate"  # a block comes a second time
    FORK = "fork"  # two blocks for one place in the chain
    BROKEN = "broken chain"  # a block does not build on the one before it: one of the two was replaced
    REWRITTEN = "rewritten"  # whole in itself, but not what a signed checkpoint attests
    TRUNCATED = "truncated"  # blocks that a signed checkpoint attests are missing at the end


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found. `offset` is where in the audit topic's partition, `height` the block's; None where there is none to name."""

    kind: Kind
    partition: int
    offset: int | None
    height: int | None
    what: str

    def __str__(self) -> str:
        where = "" if self.offset is None else f" at offset {self.offset}"
        return f"partition {self.partition}{where}: {self.kind}: {self.what}"


Problem = tuple[Kind, str]


def own_problems(block: Block) -> Iterator[Problem]:
    """How a block differs from what it was sealed over."""
    fields = fields_of(block)
    texts = np.frombuffer(block.transaction_ids, np.uint8)
    total = int(block.decisions["id_length"].sum(dtype=np.int64))
    where = f"block {block.height}, offsets {block.first_offset} to {block.last_offset}"
    if total != len(texts):
        what = f"its decisions speak of {total} bytes of transaction ids, and it holds {len(texts)}"
        yield Kind.ALTERED_DECISION, f"{where}: {what}{_suspects(block)}"
        return
    tree = merkle.root([merkle.leaf_hash(entry) for entry in entries(block.decisions, texts)])
    if tree != block.merkle_root:
        if hash_block({**fields, "merkle_root": tree}) == block.block_hash:
            yield Kind.ALTERED_BLOCK, f"{where}: its merkle_root was changed, its decisions were not"
        else:
            what = f"one of its {block.records} decisions or their ids is not the one it was sealed with"
            yield Kind.ALTERED_DECISION, f"{where}: {what}{_suspects(block)}"
    elif hash_block(fields) != block.block_hash:
        what = (
            "its block_hash is not that of its header, its previous_hash and its merkle_root: one of them was changed"
        )
        yield Kind.ALTERED_BLOCK, f"{where}: {what}"


def _suspects(block: Block) -> str:
    """A hash cannot say which decision was changed; one that cannot have been written can be named."""
    made = block.decisions
    offsets = made["offset"]
    scored = made["disposition"] == Disposition.SCORED
    wrong = (offsets < block.first_offset) | (offsets > block.last_offset)
    wrong[1:] |= offsets[1:] <= offsets[:-1]
    wrong |= (made["disposition"] > max(Disposition)) | (made["outcome"] > 2)
    wrong |= scored & ~((made["score"] >= 0) & (made["score"] <= 1)) & ~np.isnan(made["score"])
    found = [f"number {index} (offset {offsets[index]})" for index in np.flatnonzero(wrong)[:3].tolist()]
    return f"; impossible in itself: {', '.join(found)}" if found else ""


def identity_problems(block: Block, other: Anchor) -> Iterator[Problem]:
    """Where a block is of another installation or source topic than `other`."""
    for name in ("app_id", "topic", "topic_id"):
        if getattr(block, name) != getattr(other, name):
            yield (
                Kind.FOREIGN,
                f"block {block.height} has {name} {getattr(block, name)!r}, not {getattr(other, name)!r}",
            )


def chain_problems(block: Block, before: Anchor, known: "Known") -> Iterator[Problem]:
    """What is wrong with a whole block behind the block `before`; `known` remembers the blocks before that."""
    height, first = block.height, block.first_offset
    yield from identity_problems(block, before)
    if height <= before.height:
        earlier = known.get(height)
        if earlier == block.block_hash:
            yield Kind.DUPLICATE, f"block {height} comes again, the same in every byte that counts"
        elif earlier is None:
            yield (
                Kind.FORK,
                f"a second block {height}, after block {before.height}; the first is too far back to compare",
            )
        else:
            yield Kind.FORK, f"a second block {height}: {block.block_hash.hex()}, the first is {earlier.hex()}"
    elif height > before.height + 1:
        lost = f"block {before.height + 1}" + (f" to {height - 1}" if height > before.height + 2 else "")
        yield Kind.GAP, f"{lost} missing: offsets {before.last_offset + 1} to {first - 1} have no decisions"
    elif first > before.last_offset + 1:
        yield Kind.GAP, f"block {height} begins at offset {first}, the block before ended at {before.last_offset}"
    elif first <= before.last_offset:
        what = f"begins at offset {first}, but offsets to {before.last_offset} were decided already"
        yield Kind.OVERLAP, f"block {height} {what}"
    elif block.previous_hash != before.block_hash:
        what = f"builds on {block.previous_hash.hex()}, but block {before.height} is {before.block_hash.hex()}"
        yield Kind.BROKEN, f"block {height} {what}: one of the two was replaced"


class Known:
    """Hashes of the last blocks of a partition, by height: enough to tell a copy from a fork, and no more memory than that."""

    MOST = 10_000

    def __init__(self) -> None:
        self._hashes: dict[int, bytes] = {}

    def add(self, block: Block) -> None:
        """Remember it, and forget the one that is too far back now."""
        self._hashes[block.height] = block.block_hash
        self._hashes.pop(block.height - self.MOST, None)

    def get(self, height: int) -> bytes | None:
        """The hash of the block at this height, None when there was none or it was forgotten."""
        return self._hashes.get(height)
