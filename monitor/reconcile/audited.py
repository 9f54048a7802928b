"""What the audit log says of one partition, in arrays."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from monitor.audit.stored import Stored
from monitor.audit.walk import Chain
from monitor.effects.block import read_block
from monitor.effects.decisions import DECISION
from monitor.errors import ProtocolError
from monitor.state.dispositions import Disposition, is_alerted, is_withheld

OPERATOR = "quarantine"
"""The entry of a block's versions that names a person, not a version."""


@dataclass(slots=True)
class Audited:
    """`decisions` DECISION[n] in log order; `versions[i]` were in force from row `rows[i]` on. `start` is the first offset read.

    `finding` is what a verification says first, None if nothing; `tip` the last block's hash, `last_offset` its last offset.
    """

    partition: int
    decisions: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, DECISION))
    start: int = 0
    last_offset: int = -1
    watermark_ms: int = 0
    topic_id: str = ""
    alerts_from_offset: int = 0
    blocks: int = 0
    tip: bytes = b""
    finding: str | None = None
    rows: list[int] = field(default_factory=list)
    versions: list[Mapping[str, str]] = field(default_factory=list)

    @property
    def alerting(self) -> NDArray[np.void]:
        """The decisions that an alert is due for."""
        d = self.decisions
        due = (d["disposition"] == Disposition.SCORED) & is_alerted(d["outcome"], d["suppression"])
        alerting: NDArray[np.void] = d[due]
        return alerting

    @property
    def withheld(self) -> NDArray[np.void]:
        """The decisions that a withheld alert is due for."""
        withheld: NDArray[np.void] = self.decisions[is_withheld(self.decisions["suppression"])]
        return withheld

    @property
    def rejected(self) -> NDArray[np.void]:
        """The decisions that a dead letter is due for."""
        rejected: NDArray[np.void] = self.decisions[self.decisions["disposition"] == Disposition.REJECTED]
        return rejected


def audited(partition: int, blocks: Iterable[Stored]) -> Audited:
    """Read and verify the blocks of a partition; what cannot be read as a block is the finding, and passed over."""
    out, chain, parts, row = Audited(partition), Chain(partition), [], 0
    for stored in blocks:
        chain.add(stored)
        try:
            block = read_block(stored.value)
        except ProtocolError:
            continue
        if not out.blocks:
            out.start, out.topic_id = block.first_offset, block.topic_id
            out.alerts_from_offset = block.alerts_from_offset
        out.blocks += 1
        out.last_offset, out.watermark_ms, out.tip = block.last_offset, block.watermark_ms, block.block_hash
        versions = {name: each for name, each in block.versions.items() if name != OPERATOR}
        if not out.versions or out.versions[-1] != versions:
            out.rows.append(row)
            out.versions.append(versions)
        parts.append(block.decisions)
        row += block.records
    if parts:
        out.decisions = np.concatenate(parts)
    finding = chain.close()
    out.finding = None if finding is None else str(finding)
    return out
