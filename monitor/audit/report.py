"""What a verification says: one chain a partition, what was wrong in it, and whether the copy itself was whole."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from monitor.audit.findings import Finding
from monitor.audit.stored import Anchor, Stored
from monitor.audit.walk import Anchors, Chain, walk
from monitor.errors import ProtocolError


@dataclass(slots=True)
class Report:
    """`damage` says why the blocks could not be read to their end, for an export that is not as it was written."""

    chains: list[Chain] = field(default_factory=list)
    damage: str | None = None

    @property
    def findings(self) -> list[Finding]:
        """The first of each partition."""
        return [chain.finding for chain in self.chains if chain.finding is not None]

    @property
    def ok(self) -> bool:
        """Nothing was found."""
        return not self.findings and self.damage is None

    @property
    def blocks(self) -> int:
        """Blocks read."""
        return sum(chain.blocks for chain in self.chains)

    @property
    def decisions(self) -> int:
        """Decisions in blocks found good."""
        return sum(chain.decisions for chain in self.chains)

    def tips(self) -> tuple[Anchor, ...]:
        """The last good block of each partition that has one, by partition."""
        return tuple(sorted((chain.last for chain in self.chains if chain.last), key=lambda anchor: anchor.partition))

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "ok": self.ok,
            "blocks": self.blocks,
            "decisions": self.decisions,
            "damage": self.damage,
            "partitions": [_chain_json(chain) for chain in self.chains],
        }


def verify(
    blocks: Iterable[Stored],
    partitions: Sequence[int],
    anchors: Anchors | None = None,
    progress: Callable[[Chain], None] = lambda _: None,
) -> Report:
    """Walk everything; `progress` hears of each block. Errors of the medium (`BrokerError`) are raised, damage is reported."""
    report = Report()
    try:
        for chain, stored, _ in walk(blocks, partitions, anchors):
            if stored is None:
                report.chains.append(chain)
            progress(chain)
    except ProtocolError as error:
        report.damage = str(error)
    return report


def _chain_json(chain: Chain) -> dict[str, Any]:
    last, finding = chain.last, chain.finding
    return {
        "partition": chain.partition,
        "blocks": chain.blocks,
        "decisions": chain.decisions,
        "height": last.height if last else None,
        "last_offset": last.last_offset if last else None,
        "block_hash": last.block_hash.hex() if last else None,
        "attested_blocks": chain.anchored,
        "finding": None
        if finding is None
        else {"kind": str(finding.kind), "offset": finding.offset, "height": finding.height, "what": finding.what},
    }
