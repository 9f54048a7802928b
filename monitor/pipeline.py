"""The whole way of a transaction, top to bottom. Read this first.

A *run* is everything that waits for one partition. `decide_run` takes it from raw bytes to what it leaves behind:

    decode   bytes                 -> columns            monitor/wire/decode.py
    admit    columns               -> admitted or why not    monitor/guard/validate.py
    fold     account records       -> duplicates, features   monitor/state/kernels.py
    risk     labels known by then  -> further features   monitor/risk/book.py
    score    features              -> anomaly scores     monitor/scoring/model.py
    rules    what people wrote     -> what holds         monitor/rules/ruled.py
    decide   both, and people      -> outcomes           monitor/decide/policy.py
    withhold outcomes              -> who is told        monitor/withholding.py
    effects  all of it             -> messages           monitor/effects_of_run.py

It is pure but for one thing: the account records in `accounts` are changed in place (by fold and withhold). No I/O, no clock, no randomness: the same run
on the same state gives the same bytes. The caller (`monitor/partition.py`) commits the messages in one Kafka
transaction; if that fails, neither the messages nor the changed records are ever used.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.context import Context
from monitor.decide.policy import NEVER, outcomes
from monitor.effects.audit import Position
from monitor.effects.message import Message
from monitor.effects_of_run import Draft, effects_of
from monitor.guard.dedupe import identity
from monitor.guard.validate import Admission, admit
from monitor.risk.book import with_risk
from monitor.rules.ruled import NO_RULES, ruled
from monitor.scoring.model import Judged, Model
from monitor.stages import Stage
from monitor.state.accounts import Accounts
from monitor.state.dispositions import Disposition
from monitor.state.kernels import Folded, fold
from monitor.wire import columns as cells
from monitor.wire.columns import Columns
from monitor.wire.decode import decode
from monitor.wire.records import Run
from monitor.withholding import Settled, Withholding, settle, withheld


@dataclass(frozen=True, slots=True)
class Decided:
    """A run of `n` records, decided: the messages to commit, the position after it, and what it amounts to.

    `dispositions` uint8[n], `reasons` uint8[n], `flags` uint16[n], `event_times_ms` int64[n], `scores` float64[n] (NaN: not scored),
    `outcomes` uint8[n], `held` uint8[n] (of `Held`), `alert_outcomes` uint8[alerts sent]; `features` float64[n, len(ACCOUNT_FEATURES)], or len(CATALOGUE) with risk; `watermark_ms` the partition's
    greatest event time so far, as `position` has it. `horizons_ms` int64[n], as in `Folded`; `swept`: forgotten accounts dropped.
    `partial`: how many a part of the model could not judge; `settled`: what model, rules and people asked for; `withholding`: who is told; `columns`: the records, decoded.
    """

    messages: list[Message]
    position: Position
    dispositions: NDArray[np.uint8]
    reasons: NDArray[np.uint8]
    flags: NDArray[np.uint16]
    event_times_ms: NDArray[np.int64]
    scores: NDArray[np.float64]
    outcomes: NDArray[np.uint8]
    held: NDArray[np.uint8]
    alert_outcomes: NDArray[np.uint8]
    features: NDArray[np.float64]
    watermark_ms: int
    horizons_ms: NDArray[np.int64]
    swept: int
    partial: int
    settled: Settled
    withholding: Withholding
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
    settled = settle(modelled, found, columns, scored, context.by_hand, context.walled)
    withholding = _withhold(settled, accounts, slots, records.offsets, columns, folded, context, position)
    lap(Stage.DECIDE)
    draft = Draft(run, columns, folded, features, records.offsets, judged, settled, withholding, slots)
    messages, after, swept = effects_of(draft, accounts, position, context, now_ms)
    lap(Stage.EFFECTS)
    return Decided(
        messages=messages,
        position=after,
        dispositions=folded.disposition,
        reasons=folded.reason,
        flags=folded.flags,
        event_times_ms=columns.longs[cells.EVENT_TIME],
        scores=judged.scores,
        outcomes=settled.outcomes,
        held=withholding.held,
        alert_outcomes=settled.outcomes[withholding.rows[withholding.sent]],
        features=features,
        watermark_ms=after.watermark_ms,
        horizons_ms=folded.horizons_ms,
        swept=swept,
        partial=int(judged.partial.sum()),
        settled=settled,
        withholding=withholding,
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


def _withhold(
    settled: Settled,
    accounts: Accounts,
    slots: NDArray[np.int64],
    offsets: NDArray[np.int64],
    columns: Columns,
    folded: Folded,
    context: Context,
    position: Position,
) -> Withholding:
    return withheld(
        settled,
        accounts.records,
        slots,
        offsets,
        columns,
        folded,
        by_hand=context.by_hand,
        rules=(context.rules or NO_RULES).ruleset,
        alerts_from_offset=position.alerts_from_offset,
        cooldown_ms=context.cooldown_ms,
    )
