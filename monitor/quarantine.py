"""Taking one record out of the way unread: a dead letter, a decision in the audit log, and the partition goes on behind it.

For a record that ends the worker again and again. It is done as a worker would do it: fence, tails, checks, and one transaction;
so a worker that is still running is fenced and leaves, and nothing is decided twice. Blocking.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from monitor.effects.audit import build_block
from monitor.effects.deadletters import DeadLetterTopic, dead_letter
from monitor.effects.decisions import DECISION, Ids
from monitor.effects.message import Message
from monitor.errors import ProtocolError
from monitor.guard.reasons import Reason
from monitor.state.dispositions import Disposition
from monitor.takeover import Takeover
from monitor.wire.records import Record

AUTHOR = "quarantine"
"""The entry of a block's versions that says who took the record out, and why."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """What was taken out, and the height of the audit block that says so."""

    record: Record
    height: int


def quarantine(takeover: Takeover, to: DeadLetterTopic, partition: int, offset: int, author: str) -> Quarantined:
    """Dead-letter the record at `offset` unread, `author` being who does it and why.

    Raises `ProtocolError` unless it is the next undecided record of its partition, and what `Takeover.take` and a commit raise.
    """
    taken = takeover.take(partition)
    position = taken.position
    record = takeover.record_from(partition, position.last_offset + 1)
    if record is None or record.offset != offset:
        raise ProtocolError(
            f"{position.topic}[{partition}] offset {offset}: the next undecided record is "
            f"{'none' if record is None else record.offset}; only that one can be quarantined, and those before it are for a worker"
        )
    decisions = np.zeros(1, DECISION)
    decisions["offset"], decisions["score"] = offset, np.nan
    decisions["disposition"], decisions["reason"] = Disposition.REJECTED, Reason.QUARANTINED
    block, after = build_block(
        position,
        decisions,
        Ids(np.zeros(0, np.uint8), np.zeros(1, np.int64), np.full(1, -1, np.int32)),
        alerts=0,
        watermark_ms=position.watermark_ms,
        changelog_records=0,
        changelog_tail=None,
        versions=_signed(takeover.versions, author),
        schema_id=takeover.audit_schema_id,
    )
    letter = dead_letter(record, Reason.QUARANTINED, position.topic, partition, to)
    taken.writer.commit([letter, Message(takeover.audit_topic, None, block, partition, [])])
    return Quarantined(record, after.height)


def _signed(versions: Mapping[str, str], author: str) -> Mapping[str, str]:
    return {**versions, AUTHOR: author}
