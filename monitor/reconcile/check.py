"""The whole check: reads what an installation left behind, partition by partition, and compares it."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256

import numpy as np

from monitor.audit.topic import read_partition
from monitor.controls.history import ControlsHistory, Written
from monitor.controls.policy import controls_policy_of
from monitor.controls.topic import controls_records
from monitor.deciding import DecidingContext
from monitor.effects.block import read_block
from monitor.errors import TopicError
from monitor.reconcile.audited import Audited, audited
from monitor.reconcile.compare import (
    compare_alerts,
    compare_decisions,
    compare_letters,
    compare_state,
    compare_tellings,
)
from monitor.reconcile.effects import Sorter
from monitor.reconcile.findings import Findings
from monitor.reconcile.past import Past
from monitor.reconcile.reference import Reference, comparable
from monitor.reconcile.vectors import SampledVectors
from monitor.served_vectors import Vectors, read_vectors
from monitor.settings import Settings
from monitor.state.forgetting import remembered
from monitor.state.layout import DAY_MS
from monitor.wire.committed import committed, partitions_of
from monitor.wire.log import Log
from monitor.wire.records import Record, Records

POLL_S = 0.5
"""Between two looks at an audit log that is waited for."""

Progress = Callable[[str], None]


class Checker:
    """Checks one installation. `deciding` None leaves the reference out. Raises `BrokerError` and `TopicError`."""

    def __init__(self, settings: Settings, log: Log, deciding: DecidingContext | None, progress: Progress) -> None:
        self._settings, self._log, self._deciding, self._progress = settings, log, deciding, progress
        self._vectors = SampledVectors(())
        controls = ControlsHistory(controls_policy_of(settings), self._controls)
        self._past = Past(settings.models_dir, settings.rules_dir, settings.risk_dir, controls)
        self._homes: dict[bytes, list[int]] = defaultdict(list)

    def partitions(self) -> list[int]:
        """Those of the transactions topic."""
        return partitions_of(self._settings, self._settings.topic_transactions)

    def wait(self, partitions: Sequence[int], timeout_s: float) -> None:
        """Until everything that is in the input now is audited, or for so long."""
        deadline = time.monotonic() + timeout_s
        for partition in partitions:
            last = self._log.tail(self._settings.topic_transactions, partition)
            while last is not None and self._audited_through(partition) < last.offset and time.monotonic() < deadline:
                self._progress(
                    f"partition {partition}: audited up to {self._audited_through(partition)} of {last.offset}"
                )
                time.sleep(POLL_S)

    def run(self, partitions: Sequence[int]) -> dict[int, Findings]:
        """What was found, by partition."""
        settings = self._settings
        # The audit log first: what is written about later offsets than it has by now is not looked at.
        logs = {each: audited(each, read_partition(settings, settings.topic_audit, each)) for each in partitions}
        self._progress(f"{sum(each.decisions.size for each in logs.values()):,} decisions read")
        effects = Sorter(settings.topic_transactions, settings.app_id)
        for topic, add in (
            (settings.topic_alerts, effects.add_alerts),
            (settings.topic_withheld, effects.add_withheld),
            (settings.topic_dlq, effects.add_letters),
        ):
            for each in partitions_of(settings, topic):
                for batch in committed(settings, topic, each):
                    add(batch)
        if self._deciding:
            self._vectors = SampledVectors(self._served_vectors())
        self._progress("alerts, dead letters and vectors read")
        found = {}
        for partition in partitions:
            found[partition] = self._partition(logs[partition], effects)
            self._progress(f"partition {partition}: {found[partition].counts['transactions']:,} transactions checked")
        for account, homes in sorted(self._homes.items()):
            if len(homes) > 1:
                found[homes[0]].counts["accounts_split"] += 1
                found[homes[0]].note_split(account, homes)
        return found

    def _controls(self) -> Iterator[Written]:
        """As decided; none where there is no such topic."""
        try:
            yield from controls_records(self._settings)
        except TopicError:
            return

    def _served_vectors(self) -> Iterator[Vectors]:
        """As served; none where there is no such topic."""
        topic = self._settings.topic_vectors
        try:
            partitions = partitions_of(self._settings, topic)
        except TopicError:
            return
        for each in partitions:
            for batch in committed(self._settings, topic, each):
                yield from (read_vectors(message.value() or b"") for message in batch)

    def _partition(self, log: Audited, effects: Sorter) -> Findings:
        found = Findings()
        settings, partition = self._settings, log.partition
        deciding = self._deciding if self._deciding and comparable(log, self._deciding, found) else None
        reference = (
            Reference(log, settings.topic_transactions, deciding, self._past, self._vectors, found)
            if deciding
            else None
        )
        offsets, digests = self._input(log, reference)
        found.notes += [
            f"partition {partition}: decided with {name}, which is not here: scores and outcomes are not compared: {why}"
            for name, why in self._past.take_missing().items()
        ]
        compare_decisions(log, offsets, found)
        written = effects.written[partition]
        compare_alerts(log, written, found)
        compare_letters(log, written, digests, found)
        if reference is not None:
            compare_tellings(log, written, reference.tellings, found)
            self._compare_state(log, reference, found)
        self._compare_group(log, found)
        return found

    def _input(self, log: Audited, reference: Reference | None) -> tuple[np.ndarray, dict[int, bytes]]:
        """Offsets of all transactions, and the digests of the rejected ones; what is audited goes through the reference."""
        settings, seen = self._settings, []
        rejected, digests = log.rejected["offset"], dict[int, bytes]()
        for batch in committed(settings, settings.topic_transactions, log.partition, max(log.start, 0)):
            # Headers are left out: they decide nothing, and those of one record in a million are no text.
            records = Records.of([Record(m.offset(), m.key(), m.value(), m.timestamp()[1]) for m in batch])
            seen.append(records.offsets)
            decided = records[records.offsets <= log.last_offset]
            for row in np.flatnonzero(np.isin(decided.offsets, rejected)).tolist():
                digests[int(decided.offsets[row])] = sha256(decided.values.at(row) or b"").digest()
            if reference is not None and len(decided):
                reference.add(decided)
        return np.concatenate(seen) if seen else np.zeros(0, np.int64), digests

    def _compare_state(self, log: Audited, reference: Reference, found: Findings) -> None:
        settings, state = self._settings, dict[bytes, bytes]()
        for batch in committed(settings, settings.changelog_topic, log.partition):
            for message in batch:
                if message.value() is None:
                    state.pop(message.key(), None)
                else:
                    state[message.key()] = message.value()
        tail = self._log.tail(settings.topic_audit, log.partition)
        if tail is not None and tail.value is not None and read_block(tail.value).block_hash != log.tip:
            found.notes.append(f"partition {log.partition}: it was decided on while this was read: state not compared")
            return
        ttl_ms = settings.idle_ttl_days * DAY_MS
        for account in state:
            self._homes[account].append(log.partition)
        compare_state(
            log.partition,
            remembered(state, log.watermark_ms, ttl_ms),
            reference.state(ttl_ms),
            found,
            alerts_too=reference.knows_alerts,
        )

    def _compare_group(self, log: Audited, found: Findings) -> None:
        settings = self._settings
        committed = self._log.group_offset(settings.app_id, settings.topic_transactions, log.partition) or 0
        ahead = int(committed > log.last_offset + 1)
        found.report("group_ahead", ahead, f"partition {log.partition}: {committed}, decided is {log.last_offset}")
        if log.decisions.size:
            found.group_at_end = committed == log.last_offset + 1 and not found.counts["undecided"]

    def _audited_through(self, partition: int) -> int:
        tail = self._log.tail(self._settings.topic_audit, partition)
        return -1 if tail is None or tail.value is None else read_block(tail.value).last_offset
