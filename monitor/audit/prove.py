"""Finding a transaction in the audit log and proving its decisions, with the chain of blocks up to a signed checkpoint."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.audit.checkpoint import Checkpoint
from monitor.audit.proof import FORMAT, indexes_of, link_of, proof_of
from monitor.audit.stored import Anchor, Stored
from monitor.effects.audit import verify_block
from monitor.effects.block import Block, read_block
from monitor.errors import ProtocolError


@dataclass(slots=True)
class _Open:
    """A proof whose chain still grows, up to the block that a checkpoint attests."""

    proof: dict[str, Any]
    attested: Anchor


def prove(
    blocks: Iterable[Stored],
    transaction_id: str,
    checkpoints: Sequence[Checkpoint] = (),
    progress: Callable[[Stored], None] = lambda _: None,
) -> dict[str, Any]:
    """All decisions with this transaction id, proved, as JSON (docs/audit.md). `blocks` come in order within a partition.

    With checkpoints, a proof holds the blocks from its own up to the first that is attested at or after it, and that checkpoint.
    Raises `ProtocolError` for a block that is not whole, and where the log does not lead to what the checkpoint attests.
    """
    wanted, found = transaction_id.encode(), []
    growing: dict[int, list[_Open]] = {}
    for stored in blocks:
        progress(stored)
        block: Block | None = None
        still = growing.get(stored.partition, [])
        if still:
            block = read_block(stored.value)
            growing[stored.partition] = [each for each in still if _grow(each, block)]
        if wanted not in stored.value:
            continue
        block = block or read_block(stored.value)
        indexes = indexes_of(block, wanted)
        if indexes:
            verify_block(block, None)
        for index in indexes:
            proof = proof_of(block, index)
            found.append(proof)
            growing.setdefault(stored.partition, []).extend(_attested(proof, block, checkpoints))
    for each in (each for still in growing.values() for each in still):
        raise ProtocolError(
            f"audit log, partition {each.attested.partition}: ends before block {each.attested.height}; a checkpoint attests it, "
            "see `monitor audit verify --checkpoint`"
        )
    return {"format": FORMAT, "transaction_id": transaction_id, "proofs": found}


def _attested(proof: dict[str, Any], block: Block, checkpoints: Sequence[Checkpoint]) -> Iterator[_Open]:
    """Give the proof the first checkpoint that covers its block; what has to be added to its chain, if anything."""
    for checkpoint in checkpoints:
        for anchor in checkpoint.anchors:
            if anchor.partition == block.partition and anchor.height >= block.height:
                proof["checkpoint"] = _checkpoint_json(checkpoint)
                if anchor.height == block.height:
                    _check_attested(block, anchor)
                else:
                    yield _Open(proof, anchor)
                return


def _checkpoint_json(checkpoint: Checkpoint) -> Mapping[str, Any]:
    return {"checkpoint": checkpoint.body(), "signatures": dict(checkpoint.signatures)}


def _grow(each: _Open, block: Block) -> bool:
    """Add the block to the chain; whether more is to come."""
    each.proof["chain"].append(link_of(block))
    if block.height >= each.attested.height:
        _check_attested(block, each.attested)
    return block.height < each.attested.height


def _check_attested(block: Block, anchor: Anchor) -> None:
    if (block.height, block.block_hash) != (anchor.height, anchor.block_hash):
        raise ProtocolError(
            f"audit block {block.height} of {block.topic}[{block.partition}]: {block.block_hash.hex()}, a checkpoint attests block "
            f"{anchor.height} as {anchor.block_hash.hex()}; see `monitor audit verify --checkpoint`"
        )
