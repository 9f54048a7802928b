"""Alerts as Kafka records: schemas/alert.avsc in the Confluent wire format, CloudEvents attributes in the headers.

All alerts of a run are encoded at once, from columns: 10 us an alert with its explanation, where one by one in Python took 30.
Headers follow the CloudEvents Kafka protocol binding 1.0.2, binary content mode: attributes as `ce_*`, `content-type` for the data.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.effects.alert_ids import ID_BYTES, alert_ids
from monitor.effects.alert_kernel import OPTIONAL_BYTES, ROOM, VARINT_BYTES, write_alerts
from monitor.effects.attributions import Attributions
from monitor.effects.avro import array, long, same_text, text
from monitor.effects.joined import Joined, joined
from monitor.effects.message import Message
from monitor.state.dispositions import Lacking
from monitor.wire import columns as cells
from monitor.wire.columns import Columns
from monitor.wire.framing import frame
from monitor.wire.our_records import our_schema

CE_TYPE = "monitor.alert.v1"
"""The CloudEvents type of an alert; another format of the payload takes another."""

CONTENT_TYPE = "application/avro"


@dataclass(frozen=True, slots=True)
class RuleHit:
    """A rule that held; fields as in schemas/alert.avsc."""

    rule_id: str
    rule_version: str
    reason_code: str
    action: str
    text: str


class Telling(NamedTuple):
    """Whether each of `m` alerts is sent, `sent` bool[m], or withheld by what `suppressed_by` says; how many withheld ones it tells of, `told` int64[m];
    and whether it is part of a burst that was alerted already, `in_burst` bool[m].
    """

    sent: NDArray[np.bool_]
    told: NDArray[np.int64]
    in_burst: NDArray[np.bool_]
    suppressed_by: Sequence[Sequence[str]]

    @classmethod
    def of_all(cls, alerts: int) -> "Telling":
        """All are sent, and none tells of another."""
        return cls(np.ones(alerts, np.bool_), np.zeros(alerts, np.int64), np.zeros(alerts, np.bool_), [()] * alerts)


@dataclass(frozen=True, slots=True)
class Issuer:
    """What is the same for all alerts of a run: who issues them, where to (`withheld_topic`: those that are not sent), when (ms since the epoch, UTC), and
    about which partition.
    """

    topic: str
    withheld_topic: str
    schema_id: int
    app_id: str
    detected_at: int
    model_version: str
    feature_set: str
    source_topic: str
    source_topic_id: str
    source_partition: int


@dataclass(frozen=True, slots=True, eq=False)
class Alerts:
    """What was decided about `m` transactions of a run: the `rows` int64[m] of its `columns`.

    `offsets` int64[m]; `outcomes` uint8[m]; `scores` and `thresholds` float64[m], NaN: no model scored it; `degraded` uint8[m], bits of `Lacking`; `reasons`: sentences, each alert's
    strongest first, one alert after the other, and `reason_counts` int64[m]; `rule_hits`: of each alert those that held.
    """

    columns: Columns
    rows: NDArray[np.int64]
    offsets: NDArray[np.int64]
    outcomes: NDArray[np.uint8]
    scores: NDArray[np.float64]
    thresholds: NDArray[np.float64]
    degraded: NDArray[np.uint8]
    reasons: Sequence[str]
    reason_counts: NDArray[np.int64]
    rule_hits: Sequence[Sequence[RuleHit]]
    attributions: Attributions
    telling: Telling

    def __len__(self) -> int:
        return len(self.rows)


def alert_messages(alerts: Alerts, issuer: Issuer) -> list[Message]:
    """A message an alert, keyed by account id, in their order; those that are not sent go to the topic of withheld ones."""
    ids = alert_ids(issuer.source_topic_id, issuer.source_partition, alerts.offsets.tolist())
    starts = alerts.columns.starts.take(alerts.rows, 1)
    lengths = alerts.columns.lengths.take(alerts.rows, 1).clip(
        min=0
    )  # a null would be written as a text of 2**64 - 1 bytes
    values, ends = _values(alerts, issuer, ids, starts, lengths)
    source, time, version = _repeated(issuer.app_id, issuer.detected_at, issuer.model_version)
    texts, until = alerts.columns.data.data, starts + lengths
    spans = zip(*(each[field].tolist() for field in _NAMED for each in (starts, until)), strict=True)
    messages, begins, topics = [], 0, (issuer.withheld_topic, issuer.topic)
    for at, ends_at, sent, (account, account_end, transaction, transaction_end) in zip(
        range(0, len(ids), ID_BYTES), ends, alerts.telling.sent.tolist(), spans, strict=True
    ):
        headers = [
            _SPEC_VERSION,
            ("ce_id", ids[at : at + ID_BYTES]),
            _TYPE,
            source,
            time,
            ("ce_subject", bytes(texts[transaction:transaction_end])),
            _CONTENT_TYPE,
            version,
        ]
        key = bytes(texts[account:account_end])
        messages.append(Message(topics[sent], key, values[begins:ends_at], None, headers))
        begins = ends_at
    return messages


def _values(
    alerts: Alerts, issuer: Issuer, ids: bytes, starts: NDArray[np.int64], lengths: NDArray[np.int32]
) -> tuple[bytes, list[int]]:
    """The framed records of all alerts, one after the other, and where each ends. `starts` and `lengths` [9, m]: their texts' spans."""
    same = _same(
        issuer.schema_id,
        issuer.model_version,
        issuer.feature_set,
        issuer.source_topic,
        issuer.source_partition,
    )
    reasons = joined([reason.encode() for reason in alerts.reasons])
    hits = joined([array([_rule_hit(hit) for hit in each]) for each in alerts.rule_hits])
    judged, telling = np.vstack((alerts.scores, alerts.thresholds)), alerts.telling
    withheld_by = joined([_names(tuple(each)) for each in telling.suppressed_by])
    room = ROOM + same.data.size + _CHANNELS.data.size + _LACKING.data.size + alerts.attributions.items.data.size
    room += alerts.attributions.order.shape[1] * OPTIONAL_BYTES
    size = len(alerts) * room + len(alerts.reasons) * VARINT_BYTES
    size += reasons.data.size + hits.data.size + withheld_by.data.size
    out, ends = np.empty(size + int(lengths[_WRITTEN, :].sum()), np.uint8), np.empty(len(alerts), np.int64)
    write_alerts(
        out,
        ends,
        *same,
        np.frombuffer(ids, np.uint8),
        alerts.columns.data,
        starts,
        lengths,
        alerts.columns.longs.take(alerts.rows, 1),
        alerts.offsets,
        issuer.detected_at,
        alerts.outcomes,
        judged,
        judged.view(np.uint64),
        *_CHANNELS,
        *_LACKING,
        alerts.degraded,
        *reasons,
        np.cumsum(alerts.reason_counts),
        *hits,
        *alerts.attributions.items,
        *alerts.attributions[1:],
        telling.told,
        telling.in_burst,
        *withheld_by,
    )
    return out[: ends.max(initial=0)].tobytes(), ends.tolist()


_NAMED = (cells.ACCOUNT_ID, cells.TRANSACTION_ID)
"""What a message names beside its value: the key, the subject."""

_WRITTEN = np.array([cells.TRANSACTION_ID, cells.ACCOUNT_ID, cells.CURRENCY])

_CHANNELS = joined([text(channel) for channel in cells.CHANNELS])


_LACKING = joined(
    [array([text(bit.name.lower()) for bit in Lacking if bit.name and bits & bit]) for bits in range(2 * max(Lacking))]
)
"""What each value of `Alerts.degraded` says."""


@lru_cache(1024)
def _same(schema_id: int, model_version: str, feature_set: str, topic: str, partition: int) -> Joined:
    """The spans `HEAD` to `SOURCE` of the kernel."""
    return joined(
        [
            frame(schema_id, b""),
            text(model_version) + text(feature_set),
            text(topic) + long(partition),
        ]
    )


@lru_cache(1024)
def _names(names: tuple[str, ...]) -> bytes:
    return array([text(each) for each in names])


def _rule_hit(hit: RuleHit) -> bytes:
    return b"".join(
        (
            same_text(hit.rule_id),
            same_text(hit.rule_version),
            same_text(hit.reason_code),
            same_text(hit.action),
            text(hit.text),
        )
    )


def alert_schema() -> Any:
    """The shipped schemas/alert.avsc, parsed by fastavro."""
    return our_schema("alert.avsc")


def rfc3339(time_ms: int) -> str:
    """Milliseconds since the epoch as UTC text with milliseconds, such as 2026-01-31T12:00:00.250Z."""
    moment = dt.datetime.fromtimestamp(time_ms // 1000, dt.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}Z"


_SPEC_VERSION, _TYPE = ("ce_specversion", b"1.0"), ("ce_type", CE_TYPE.encode())
_CONTENT_TYPE = ("content-type", CONTENT_TYPE.encode())


@lru_cache(16)
def _repeated(app_id: str, detected_at: int, model_version: str) -> tuple[tuple[str, bytes], ...]:
    """Headers that are the same for all alerts of a run: source, time, model."""
    return (
        ("ce_source", f"/fraud-monitor/{app_id}".encode()),
        ("ce_time", rfc3339(detected_at).encode()),
        ("model_version", model_version.encode()),
    )
