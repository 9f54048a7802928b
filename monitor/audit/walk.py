"""Walking partitions of the audit log, block by block: what is there, and the first thing that is wrong in each."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from monitor.audit.findings import Finding, Kind, Known, Problem, chain_problems, identity_problems, own_problems
from monitor.audit.stored import Anchor, Stored
from monitor.effects.audit import Position, position_of, verify_block
from monitor.effects.block import Block, read_block
from monitor.errors import ProtocolError

Anchors = Mapping[int, Sequence[Anchor]]
"""By partition, lowest height first."""


@dataclass(slots=True)
class Chain:
    """One partition while it is walked. After the first finding the rest is only counted."""

    partition: int
    anchors: Sequence[Anchor] = ()
    identity: Anchor | None = None  # of any partition: app_id, topic and topic_id must be the same everywhere
    blocks: int = 0
    decisions: int = 0
    finding: Finding | None = None
    last: Anchor | None = None
    anchored: int = 0  # how many anchors were met
    _before: Position | None = None
    _known: Known = field(default_factory=Known)

    def add(self, stored: Stored) -> Block | None:
        """The next block of the partition; None, and `finding` is set, when it is not as it must be."""
        self.blocks += 1
        if self.finding is not None:
            return None
        try:
            block = read_block(stored.value)
        except ProtocolError as error:
            self.finding = Finding(Kind.UNREADABLE, self.partition, stored.offset, None, str(error))
            return None
        for kind, what in self._problems(block):
            self.finding = Finding(kind, self.partition, stored.offset, block.height, what)
            return None
        self.decisions += block.records
        self._known.add(block)
        self._before, self.last = position_of(block), Anchor.of(block, stored.offset)
        return block

    def close(self) -> Finding | None:
        """After the last block: the finding, if there is any."""
        if self.finding is None and self.anchors:
            attested = self.anchors[-1]
            height = self.last.height if self.last else -1
            if height < attested.height:
                ends = f"ends at block {height}" if self.last else "holds no block"
                what = f"{ends}, a checkpoint attests block {attested.height} (offset {attested.last_offset})"
                self.finding = Finding(Kind.TRUNCATED, self.partition, None, max(height, 0), what)
        return self.finding

    def _problems(self, block: Block) -> Iterator[Problem]:
        """Everything wrong with the block that can be named, the most telling first."""
        try:
            verify_block(block, self._before)
        except ProtocolError as error:
            yield from own_problems(block)
            yield from self._place_problems(block)
            yield Kind.ALTERED_BLOCK, str(error)  # sealed, but it contradicts itself or the block before
        else:
            yield from self._place_problems(block)
        for anchor in self.anchors:
            if anchor.height == block.height:
                self.anchored += 1
                if anchor.block_hash != block.block_hash:
                    attested = anchor.block_hash.hex()
                    yield Kind.REWRITTEN, f"block {block.height} is {block.block_hash.hex()}, attested is {attested}"

    def _place_problems(self, block: Block) -> Iterator[Problem]:
        """A block in the wrong partition, or not where the chain goes on."""
        if block.partition != self.partition:
            yield Kind.MISPLACED, f"block {block.height} is of partition {block.partition}"
        if self.last is not None:
            yield from chain_problems(block, self.last, self._known)
            return
        if self.identity is not None:
            yield from identity_problems(block, self.identity)
        if block.height == 0 or any(anchor.height >= block.height for anchor in self.anchors):
            return  # a genesis block; or an anchor to come binds this block and what follows it
        if self.anchors:
            self.anchored += 1
            yield from chain_problems(block, self.anchors[-1], self._known)
        else:
            what = f"begins at block {block.height} (offset {block.first_offset}); a checkpoint must vouch for what is gone"
            yield Kind.NO_GENESIS, what


def walk(
    blocks: Iterable[Stored], partitions: Sequence[int], anchors: Anchors | None = None
) -> Iterator[tuple[Chain, Stored | None, Block | None]]:
    """Walk `blocks`, which come partition by partition, in the order of `partitions`.

    Yields each block with its chain, the block None where it is not good; and, at the end of each partition, the chain alone.
    A partition without blocks is reported as well. A block of a partition not asked for raises `ProtocolError`.
    """
    anchors = anchors or {}
    attested = [chain[-1] for chain in anchors.values() if chain]
    identity = attested[0] if attested else None
    waiting = list(partitions)
    chain: Chain | None = None
    for stored in blocks:
        while chain is None or chain.partition != stored.partition:
            if chain is not None:
                chain.close()
                yield chain, None, None
            if stored.partition not in waiting:
                raise ProtocolError(f"audit log: partition {stored.partition} comes out of turn; export it anew")
            following = waiting.pop(0)
            chain = Chain(following, anchors.get(following, ()), identity)
        block = chain.add(stored)
        identity = identity or chain.last
        yield chain, stored, block
    for rest in ([chain] if chain else []) + [Chain(each, anchors.get(each, ()), identity) for each in waiting]:
        rest.close()
        yield rest, None, None
