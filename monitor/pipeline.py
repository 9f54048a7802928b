"""The whole way of a transaction, top to bottom. Read this first.

A *run* is everything that waits for one partition. `decide_run` takes it from raw bytes to what it leaves behind:

    decode   bytes                 -> columns            monitor/wire/decode.py
    admit    columns               -> admitted or why not    monitor/guard/validate.py
    fold     account records       -> duplicates, features   monitor/state/kernels.py
    risk     labels known by then  -> further features   monitor/risk/book.py
    score    features              -> anomaly scores     monitor/scoring/model.py
    rules    what people wrote     -> what holds         monitor/rules/ruled.py
    decide   both                  -> outcomes           monitor/decide/policy.py
    effects  all of it             -> messages           monitor/effects/

It is pure but for one thing: the account records in `accounts` are changed in place. No I/O, no clock, no randomness: the same run
on the same state gives the same bytes. The caller (`monitor/partition.py`) commits the messages in one Kafka
transaction; if that fails, neither the messages nor the changed records are ever used.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.alerting import alerts_of
from monitor.decide.policy import APPROVE, NEVER, combined, outcomes
from monitor.effects.alerts import Issuer, alert_messages
from monitor.effects.audit import Position, build_block
from monitor.effects.changelog import changelog_messages, tail_of, tombstones
from monitor.effects.deadletters import DeadLetterTopic, dead_letters
from monitor.effects.decisions import Ids, decisions_of
from monitor.effects.message import Message
from monitor.effects.names import Names
from monitor.guard.dedupe import identity
from monitor.guard.reasons import Reason
from monitor.guard.validate import Admission, Limits, admit
from monitor.money.exchange import ExchangeTable
from monitor.risk.book import Book, with_risk
from monitor.rules.ruled import NO_RULES, Ruled, in_words, ruled
from monitor.rules.ruleset import Engine
from monitor.scoring.explain import explain, left_out
from monitor.scoring.model import Judged, Model
from monitor.stages import Stage
from monitor.state.accounts import SWEEP_AT_LEAST, Accounts
from monitor.state.dispositions import Disposition, Lacking
from monitor.state.kernels import Folded, fold
from monitor.wire import columns as cells
from monitor.wire.columns import Columns
from monitor.wire.decode import Reader, decode
from monitor.wire.hashing import HashKey
from monitor.wire.records import Run

WARM_UP = 1
"""Suppression of a decision: the outcome stands in the audit, the alert is withheld."""


@dataclass(frozen=True, slots=True)
class Context:
    """Everything a decision depends on beside the run and the accounts. Never changed; replaced whole, between runs."""

    names: Names
    readers: Mapping[int, Reader | Reason]
    hash_key: HashKey
    max_value_bytes: int
    exchange: ExchangeTable
    limits: Limits
    idle_ttl_ms: int
    model: Model | None
    risk: Book
    rules: Engine | None
    alert_schema_id: int
    audit_schema_id: int
    dlq_max_bytes: int
    versions: Mapping[str, str]
    sweep_at_least: int = SWEEP_AT_LEAST
    """0: forgotten accounts stay in memory."""
    explaining: bool = True
    """False: alerts go without the model's explanation (`monitor/shedding.py`)."""

    @property
    def risk_kinds(self) -> tuple[int, ...]:
        """What the model or a rule looks up in the book of risk."""
        return tuple(sorted({kind for each in (self.model, self.rules) if each for kind in each.risk_kinds}))


@dataclass(frozen=True, slots=True)
class Decided:
    """A run of `n` records, decided: the messages to commit, the position after it, and what it amounts to.

    `dispositions` uint8[n], `reasons` uint8[n], `flags` uint16[n], `event_times_ms` int64[n], `scores` float64[n] (NaN: not scored),
    `outcomes` uint8[n], `alert_outcomes` uint8[alerts]; `features` float64[n, len(ACCOUNT_FEATURES)], or len(CATALOGUE) with risk; `watermark_ms` the partition's
    greatest event time so far, as `position` has it. `horizons_ms` int64[n], as in `Folded`; `swept`: forgotten accounts dropped.
    `partial`: how many a part of the model could not judge; `ruled`: what rules held; `columns`: the records, decoded.
    """

    messages: list[Message]
    position: Position
    dispositions: NDArray[np.uint8]
    reasons: NDArray[np.uint8]
    flags: NDArray[np.uint16]
    event_times_ms: NDArray[np.int64]
    scores: NDArray[np.float64]
    outcomes: NDArray[np.uint8]
    alert_outcomes: NDArray[np.uint8]
    features: NDArray[np.float64]
    watermark_ms: int
    horizons_ms: NDArray[np.int64]
    swept: int
    partial: int
    ruled: Ruled
    columns: Columns


def decide_run(
    run: Run,
    accounts: Accounts,
    position: Position,
    context: Context,
    now_ms: int,
    lap: Callable[[Stage], None] = lambda _stage: None,
) -> Decided:
    """Decide every record of `run`; `lap` is told when a stage ends. `position` is where the audit log of the partition stands.

    Nothing a record holds makes this raise: a bad one is dead-lettered with its reason. Raises `StateAheadError` when an account
    has seen an offset that the audit log has not.
    """
    records = run.records
    columns = decode(records.values, context.readers, context.hash_key, context.max_value_bytes)
    lap(Stage.DECODE)
    admission = admit(columns, records.keys, context.exchange, context.limits, now_ms)
    lap(Stage.ADMIT)
    slots = accounts.slots(records.keys, admission.reason == 0)
    folded = _fold(accounts, slots, records.offsets, columns, admission, context, position.watermark_ms)
    lap(Stage.FOLD)
    features = with_risk(folded.features, columns, context.risk_kinds, context.risk)
    scored = folded.disposition == int(Disposition.SCORED)  # numpy is slow with members of enums
    judged = _judge(features, scored, context.model)
    lap(Stage.SCORE)
    modelled = outcomes(judged.scores, context.model or NEVER)
    found = ruled(context.rules or NO_RULES, columns, features, judged.scores, scored)
    outcome = combined(modelled, found.levels)
    alerting = np.flatnonzero((outcome != APPROVE) & (records.offsets >= position.alerts_from_offset))
    lap(Stage.DECIDE)
    draft = _Draft(run, columns, folded, features, records.offsets, judged, modelled, found, outcome, alerting, slots)
    messages, after, swept = _effects(draft, accounts, position, context, now_ms)
    lap(Stage.EFFECTS)
    return Decided(
        messages=messages,
        position=after,
        dispositions=folded.disposition,
        reasons=folded.reason,
        flags=folded.flags,
        event_times_ms=columns.longs[cells.EVENT_TIME],
        scores=judged.scores,
        outcomes=outcome,
        alert_outcomes=outcome[alerting],
        features=features,
        watermark_ms=after.watermark_ms,
        horizons_ms=folded.horizons_ms,
        swept=swept,
        partial=int(judged.partial.sum()),
        ruled=found,
        columns=columns,
    )


def _fold(
    accounts: Accounts,
    slots: NDArray[np.int64],
    offsets: NDArray[np.int64],
    columns: Columns,
    admission: Admission,
    context: Context,
    watermark_ms: int,
) -> Folded:
    key_hash, digest = identity(columns)
    return fold(
        accounts.records,
        slots,
        offsets,
        columns,
        reason=admission.reason,
        base_amount=admission.base_amount,
        country=admission.country,
        key_hash=key_hash,
        digest=digest,
        idle_ttl_ms=context.idle_ttl_ms,
        watermark_ms=watermark_ms,
    )


def _judge(features: NDArray[np.float64], scored: NDArray[np.bool_], model: Model | None) -> Judged:
    """Of all `n` records; those that were not scored have score NaN."""
    n = len(scored)
    judged = Judged(np.full(n, np.nan), np.zeros(n, np.uint8), np.zeros(n, np.bool_))
    if model is not None and scored.any():
        found = model.judge(features if scored.all() else features[scored])
        judged.scores[scored], judged.by[scored], judged.partial[scored] = found
    return judged


def _lacking(judged: Judged, context: Context) -> NDArray[np.uint8]:
    """What each record's decision had to do without: bits of `Lacking`."""
    always = (Lacking.MODEL if context.model is None else 0) | (Lacking.RULES if context.rules is None else 0)
    always |= 0 if context.explaining else Lacking.EXPLANATIONS
    return judged.partial * np.uint8(Lacking.RISK) | np.uint8(always)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A run whose outcomes are known and whose effects are not written yet; arrays are of its `n` records."""

    run: Run
    columns: Columns
    folded: Folded
    features: NDArray[np.float64]
    offsets: NDArray[np.int64]
    judged: Judged
    modelled: NDArray[np.uint8]
    ruled: Ruled
    outcome: NDArray[np.uint8]
    alerting: NDArray[np.int64]
    slots: NDArray[np.int64]


def _effects(
    draft: _Draft, accounts: Accounts, position: Position, context: Context, now_ms: int
) -> tuple[list[Message], Position, int]:
    """All that the run leaves behind, the position of the log after it, and how many accounts were swept."""
    names, run = context.names, draft.run
    changelog, swept = _changelog(draft, accounts, context)
    block, after = build_block(
        position,
        _decisions(draft, position, context),
        Ids.of(draft.columns),
        alerts=draft.alerting.size,
        watermark_ms=draft.folded.watermark_ms,
        changelog_records=len(changelog),
        changelog_tail=tail_of(changelog),
        versions=context.versions,
        schema_id=context.audit_schema_id,
    )
    messages = _alerts(draft, position, context, now_ms) if draft.alerting.size else []
    to = DeadLetterTopic(names.dlq, names.app_id, context.dlq_max_bytes)
    messages += dead_letters(run, draft.folded.reason, to)
    messages += changelog
    messages.append(Message(names.audit, None, block, run.partition, []))
    return messages, after, swept


def _changelog(draft: _Draft, accounts: Accounts, context: Context) -> tuple[list[Message], int]:
    """Tombstones of forgotten accounts, then the records of those the run touched; and the number of tombstones.

    Without a record behind them there are no tombstones: a run's last changelog message has a value (`tail_of`).
    """
    touched = np.unique(draft.slots[draft.slots >= 0])
    at_most = max(context.sweep_at_least, len(draft.offsets)) if touched.size and context.sweep_at_least else 0
    gone = accounts.sweep(at_most, draft.folded.watermark_ms, context.idle_ttl_ms, touched)
    topic, partition = context.names.changelog, draft.run.partition
    messages = tombstones(topic, partition, gone)
    messages += changelog_messages(topic, partition, accounts.keys_of(touched), accounts.values(touched))
    return messages, len(gone)


def _decisions(draft: _Draft, position: Position, context: Context) -> NDArray[np.void]:
    """One audit entry a record."""
    folded = draft.folded
    return decisions_of(
        draft.offsets, draft.judged.scores, folded.disposition, draft.outcome, folded.reason, folded.flags,
        _lacking(draft.judged, context),
        withheld=WARM_UP,
        alerts_from_offset=position.alerts_from_offset,
    )  # fmt: skip


def _alerts(draft: _Draft, position: Position, context: Context, now_ms: int) -> list[Message]:
    """An alert for each record of `draft.alerting`; only these are ever explained and spelled out."""
    model, names, at, rules = context.model, context.names, draft.alerting, context.rules or NO_RULES
    features, scores = draft.features, draft.judged.scores
    why = None if model is None else left_out(now_ms, draft.run.records.timestamps, at)
    if model is not None and context.explaining:
        why = explain(model, features[at], draft.judged.by[at])
    alerts = alerts_of(
        draft.columns, at, draft.offsets,
        outcomes=draft.outcome, modelled=draft.modelled, scores=scores,
        degraded=_lacking(draft.judged, context),
        thresholds=model or NEVER,
        why=why,
        said=in_words(rules, draft.ruled, draft.columns, features, scores, at),
    )  # fmt: skip
    issuer = Issuer(
        topic=names.alerts, schema_id=context.alert_schema_id, app_id=names.app_id, detected_at=now_ms,
        model_version="" if model is None else model.version, feature_set="" if model is None else model.feature_set,
        source_topic=draft.run.topic, source_topic_id=position.topic_id, source_partition=draft.run.partition,
    )  # fmt: skip
    return alert_messages(alerts, issuer)
