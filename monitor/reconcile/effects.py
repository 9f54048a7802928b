"""Alerts and dead letters as they were read, by the partition of the transaction that each is about."""

import math
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from monitor.decide.policy import OUTCOMES
from monitor.effects.deadletters import CONNECT_PREFIX
from monitor.wire.our_records import read_record

_SCORE = struct.Struct("<d")


Telling = tuple[int, bool, tuple[str, ...]]
"""`withheld`, `in_burst` and `suppressed_by`, as in schemas/alert.avsc."""


@dataclass(frozen=True, slots=True)
class Alert:
    """What an alert says that a decision says too; `score` is its eight bytes. `telling`: what it says beside that."""

    id: str
    outcome: int
    score: bytes
    telling: Telling = (0, False, ())


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter's reason code and the SHA-256 of the original value."""

    reason: str
    digest: bytes


@dataclass(slots=True)
class Written:
    """By source offset, in the order read, all that was written about one source partition; `disordered` of them came behind a later
    one in their own partition.
    """

    alerts: dict[int, list[Alert]] = field(default_factory=lambda: defaultdict(list))
    withheld: dict[int, list[Alert]] = field(default_factory=lambda: defaultdict(list))
    letters: dict[int, list[Letter]] = field(default_factory=lambda: defaultdict(list))
    disordered: list[str] = field(default_factory=list)


class Sorter:
    """Messages of the alert and dead-letter topics, sorted by source partition; those of other installations are left out."""

    def __init__(self, topic: str, app_id: str) -> None:
        self.written: dict[int, Written] = defaultdict(Written)
        self._topic, self._app_id = topic, app_id
        self._last: dict[tuple[str, int, int], int] = {}

    def add_alerts(self, messages: Iterable[Any]) -> None:
        """Messages of one partition of the alert topic. Raises ValueError for one that is no alert."""
        for partition, offset, alert in self._alerts("alert", messages):
            self.written[partition].alerts[offset].append(alert)

    def add_withheld(self, messages: Iterable[Any]) -> None:
        """The same of the topic of withheld alerts."""
        for partition, offset, alert in self._alerts("withheld alert", messages):
            self.written[partition].withheld[offset].append(alert)

    def _alerts(self, what: str, messages: Iterable[Any]) -> Iterator[tuple[int, int, Alert]]:
        """Source partition and offset of each, and what it says."""
        for message in messages:
            fields = read_record("alert.avsc", message.value())
            source = dict(message.headers() or ()).get("ce_source", b"").decode()
            if fields["source_topic"] != self._topic or source != f"/fraud-monitor/{self._app_id}":
                continue
            partition, offset = fields["source_partition"], fields["source_offset"]
            score = math.nan if fields["anomaly_score"] is None else fields["anomaly_score"]
            self._note_order(what, message.partition(), partition, offset)
            yield (
                partition,
                offset,
                Alert(
                    str(fields["alert_id"]),
                    OUTCOMES.index(fields["outcome"]),
                    _SCORE.pack(score),
                    (fields["withheld"], fields["in_burst"], tuple(fields["suppressed_by"])),
                ),
            )

    def add_letters(self, messages: Iterable[Any]) -> None:
        """Messages of one partition of the dead-letter topic."""
        for message in messages:
            headers = dict(message.headers() or ())  # ours come after the original's, of the same name too
            if headers.get(f"{CONNECT_PREFIX}topic") != self._topic.encode():
                continue
            if headers.get(f"{CONNECT_PREFIX}connector.name") != self._app_id.encode():
                continue
            partition, offset = int(headers[f"{CONNECT_PREFIX}partition"]), int(headers[f"{CONNECT_PREFIX}offset"])
            replaced = headers.get("monitor.value.replaced")
            digest = bytes.fromhex(replaced.decode()) if replaced else sha256(message.value() or b"").digest()
            self._note_order("dead letter", message.partition(), partition, offset)
            self.written[partition].letters[offset].append(Letter(headers["reason"].decode(), digest))

    def _note_order(self, what: str, lies_in: int, partition: int, offset: int) -> None:
        place = (what, lies_in, partition)
        if offset < self._last.get(place, -1):
            self.written[partition].disordered.append(
                f"the {what} of offset {offset} stands behind that of {self._last[place]}"
            )
        self._last[place] = max(offset, self._last.get(place, -1))
