"""The reference: the input of one partition decided anew, in one uninterrupted pass through the pure pipeline."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from monitor.deciding import DecidingContext
from monitor.effects.audit import genesis_block
from monitor.guard.reasons import Reason
from monitor.pipeline import Decided, decide_run
from monitor.reconcile.audited import Audited
from monitor.reconcile.effects import Telling
from monitor.reconcile.findings import Findings
from monitor.reconcile.past import Past
from monitor.reconcile.vectors import SampledVectors
from monitor.state.accounts import Accounts
from monitor.state.dispositions import Disposition
from monitor.state.forgetting import remembered
from monitor.wire.records import Records, Run

ON_TRUST = (Reason.EVENT_TIME_IN_FUTURE, Reason.SCHEMA_UNAVAILABLE, Reason.UNKNOWN_SCHEMA, Reason.QUARANTINED)
"""Reasons that depended on the hour: on a clock, a registry, a person. The audit's word is taken for them; no state is touched."""
_ON_TRUST = np.array([int(reason) for reason in ON_TRUST])

ANY_TIME_MS = 253_402_300_799_000
"""A wall clock that nothing is ahead of, the last second of the year 9999: what was ahead of the worker's is on trust."""

COMPARED = ("monitor", "layout", "exchange")
"""Versions that state depends on."""


class Reference:
    """Decides one partition, record by record as they are given, each with the model, the rules, the risk and the controls that its block names, and compares on the way."""

    def __init__(
        self,
        audited: Audited,
        topic: str,
        deciding: DecidingContext,
        past: Past,
        vectors: SampledVectors,
        found: Findings,
    ) -> None:
        self._audited, self._topic, self._deciding, self._found = audited, topic, deciding, found
        self._past, self._vectors = past, vectors
        self._accounts = Accounts()
        self.knows_alerts = True
        """Whether it knew all that outcomes depend on: else what accounts remember of their alerts is not the reference's."""
        self.tellings: dict[int, Telling] = {}
        """By offset, what each alert tells beside its decision, while that is known."""
        self._at = np.argsort(audited.decisions["offset"], kind="stable")
        self._sorted = audited.decisions["offset"][self._at]
        _, self._position = genesis_block(
            app_id="reference", topic=topic, topic_id=audited.topic_id, partition=audited.partition, start=audited.start,
            alerts_from_offset=audited.alerts_from_offset, versions={}, schema_id=1,
        )  # fmt: skip

    def add(self, records: Records) -> None:
        """Transactions of the partition in offset order, all of them audited."""
        if not self._sorted.size:
            return
        rows = self._rows(records)
        decisions = self._audited.decisions[rows]
        there = rows >= 0  # where not, the record is lost, which has been counted
        trusted = (
            there & (decisions["disposition"] == int(Disposition.REJECTED)) & np.isin(decisions["reason"], _ON_TRUST)
        )
        self._found.counts["on_trust"] += int(trusted.sum())
        chosen = there & ~trusted
        kept, at = records[chosen], rows[chosen]
        for first, end, number in self._stretches(at):
            self._decide(kept[first:end], at[first:end], number)

    def state(self, idle_ttl_ms: int) -> dict[bytes, bytes]:
        """Changelog values by account, without those forgotten."""
        slots = self._accounts.taken()
        keys = self._accounts.keys_of(slots)
        return remembered(
            dict(zip(keys, self._accounts.values(slots), strict=True)), self._audited.watermark_ms, idle_ttl_ms
        )

    def _stretches(self, rows: NDArray[np.int64]) -> Iterator[tuple[int, int, int]]:
        """(first, end, number of the versions in force) of records that follow each other and were decided with the same versions."""
        if not rows.size:
            return
        numbers = np.searchsorted(self._audited.rows, rows, side="right") - 1
        starts = np.concatenate([[0], np.flatnonzero(np.diff(numbers)) + 1])
        ends = np.append(starts[1:], rows.size)
        yield from zip(starts.tolist(), ends.tolist(), numbers[starts].tolist(), strict=True)

    def _decide(self, records: Records, rows: NDArray[np.int64], number: int) -> None:
        versions = self._audited.versions[number]
        served = self._past.served(versions)
        context = replace(self._deciding.for_records(records), versions={})
        if served is not None:
            rules = self._deciding.engine_of(served.rules, served.controls)
            context = replace(
                context,
                model=served.model,
                rules=rules,
                risk=served.risk,
                walled=served.walled,
                cooldown_ms=served.cooldown_ms,
                by_hand=self._deciding.by_hand_of(served.controls),
            )
        run = Run(self._topic, self._audited.partition, self._position.last_offset, records)
        decided = decide_run(run, self._accounts, self._position, context, ANY_TIME_MS)
        self._position = decided.position
        self._compare(records, decided, rows, scores_too=served is not None)
        if served is not None and self.knows_alerts:
            self._note_tellings(records, decided)
        if served is None:
            self.knows_alerts = False
            self._found.counts["not_scored_anew"] += len(records)
            return
        risk = versions.get("risk", "")
        self._vectors.compare(self._audited.topic_id, self._audited.partition, risk, records, decided, self._found)

    def _note_tellings(self, records: Records, decided: Decided) -> None:
        withholding = decided.withholding
        for row in withholding.rows.tolist():
            telling = (
                int(withholding.told[row]),
                bool(withholding.in_burst[row]),
                withholding.named(row, decided.columns),
            )
            self.tellings[int(records.offsets[row])] = telling

    def _rows(self, records: Records) -> NDArray[np.int64]:
        """The audited decision of each record, -1 for none."""
        offsets = records.offsets
        place = np.searchsorted(self._sorted, offsets)
        there = place < self._sorted.size
        there[there] = self._sorted[place[there]] == offsets[there]
        rows = np.full(len(records), -1, np.int64)
        rows[there] = self._at[place[there]]
        return rows

    def _compare(self, records: Records, decided: Decided, rows: NDArray[np.int64], *, scores_too: bool) -> None:
        audited = self._audited.decisions[rows]
        differ = (
            (audited["disposition"] != decided.dispositions)
            | (audited["reason"] != decided.reasons)
            | (audited["flags"] != (decided.flags & 0xFF).astype(np.uint8))
        )
        if scores_too:
            scores = decided.scores.copy()
            scores[np.isnan(scores)] = np.nan
            same = (audited["score"].view(np.int64) == scores.view(np.int64)) if scores.size else differ
            differ |= ~same | (audited["outcome"] != decided.outcomes)
            if self.knows_alerts:
                differ |= audited["suppression"] != decided.held
        if differ.any():
            first = int(records.offsets[np.flatnonzero(differ)[0]])
            self._found.report(
                "decisions_differ",
                int(differ.sum()),
                f"partition {self._audited.partition}: offset {first} was decided otherwise",
            )


def comparable(audited: Audited, deciding: DecidingContext, found: Findings) -> bool:
    """Whether this program would decide as the one that decided; a note says why not."""
    for name in COMPARED:
        others = {each.get(name, "") for each in audited.versions} - {deciding.versions[name]}
        if others:
            found.notes.append(
                f"partition {audited.partition}: decided with {name} {', '.join(sorted(others))}, here is {deciding.versions[name]}: not decided anew"
            )
            return False
    return True
