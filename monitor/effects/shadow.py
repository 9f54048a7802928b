"""What a candidate thought of a run, as a Kafka record: schemas/shadow-block.avsc in the Confluent wire format."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.wire.our_records import read_record, write_record

SCHEMA = "shadow-block.avsc"

CANDIDATE_SHIFT = 16
"""Times a candidate's outcome, in a byte with the champion's."""


@dataclass(frozen=True, slots=True)
class ShadowBlock:
    """Of one run, its `n` scored records: `offsets` int64[n], scores float32[n], outcomes uint8[n]; times in ms.

    `alerts`: (row, transaction id, account id) of those that either model would have alerted.
    """

    champion: str
    candidate: str
    candidate_seal: str
    risk: str
    topic: str
    topic_id: str
    partition: int
    first_offset: int
    last_offset: int
    first_event_time: int
    last_event_time: int
    offsets: NDArray[np.int64]
    champion_scores: NDArray[np.float32]
    candidate_scores: NDArray[np.float32]
    champion_outcomes: NDArray[np.uint8]
    candidate_outcomes: NDArray[np.uint8]
    alerts: Sequence[tuple[int, str, str]]


_PLAIN = (
    "champion", "candidate", "candidate_seal", "risk", "topic", "topic_id", "partition",
    "first_offset", "last_offset", "first_event_time", "last_event_time",
)  # fmt: skip


def shadow_value(block: ShadowBlock, schema_id: int) -> bytes:
    """The record's value."""
    outcomes = block.champion_outcomes + np.uint8(CANDIDATE_SHIFT) * block.candidate_outcomes
    record = {
        **{name: getattr(block, name) for name in _PLAIN},
        "offsets": (block.offsets - block.first_offset).astype("<i4").tobytes(),
        "champion_scores": block.champion_scores.astype("<f4").tobytes(),
        "candidate_scores": block.candidate_scores.astype("<f4").tobytes(),
        "outcomes": outcomes.astype(np.uint8).tobytes(),
        "alerts": [
            {"row": row, "transaction_id": transaction, "account_id": account}
            for row, transaction, account in block.alerts
        ],
    }
    return write_record(SCHEMA, record, schema_id)


def read_shadow(value: bytes) -> ShadowBlock:
    """The block in a record's value. Raises `ValueError` for what is none."""
    read = read_record(SCHEMA, value)
    offsets = np.frombuffer(read["offsets"], "<i4").astype(np.int64) + read["first_offset"]
    scores = [np.frombuffer(read[f"{name}_scores"], "<f4") for name in ("champion", "candidate")]
    outcomes = np.frombuffer(read["outcomes"], np.uint8)
    if not len(offsets) == len(outcomes) == len(scores[0]) == len(scores[1]):
        raise ValueError("not a shadow block: its columns are of unequal length")
    plain = {name: read[name] for name in _PLAIN}
    times = {name: _ms(plain[name]) for name in ("first_event_time", "last_event_time")}
    return ShadowBlock(
        **(plain | times),
        offsets=offsets,
        champion_scores=scores[0],
        candidate_scores=scores[1],
        champion_outcomes=outcomes % CANDIDATE_SHIFT,
        candidate_outcomes=outcomes // CANDIDATE_SHIFT,
        alerts=[(each["row"], each["transaction_id"], each["account_id"]) for each in read["alerts"]],
    )


def _ms(moment: Any) -> int:
    return moment if isinstance(moment, int) else round(moment.timestamp() * 1000)
