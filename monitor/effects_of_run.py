"""What a run leaves behind: alerts, dead letters, changelog records and one audit block, as messages of one Kafka transaction."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.alerting import alerts_of, notes_of
from monitor.context import Context
from monitor.decide.policy import APPROVE, NEVER
from monitor.effects.alerts import Issuer, Telling, alert_messages
from monitor.effects.audit import Position, build_block
from monitor.effects.changelog import changelog_messages, tail_of, tombstones
from monitor.effects.deadletters import DeadLetterTopic, dead_letters
from monitor.effects.decisions import Ids, decisions_of
from monitor.effects.message import Message
from monitor.rules.ruled import NO_RULES, in_words
from monitor.rules.ruleset import Engine
from monitor.rules.wording import Said
from monitor.scoring.explain import explain, left_out
from monitor.scoring.model import Judged
from monitor.state.accounts import Accounts
from monitor.state.dispositions import Lacking
from monitor.state.kernels import Folded
from monitor.wire.columns import Columns
from monitor.wire.records import Run
from monitor.withholding import Settled, Withholding


def _lacking(judged: Judged, settled: Settled, context: Context) -> NDArray[np.uint8]:
    """What each record's decision had to do without: bits of `Lacking`."""
    always = (Lacking.MODEL if context.model is None else 0) | (Lacking.RULES if context.rules is None else 0)
    always |= 0 if context.explaining else Lacking.EXPLANATIONS
    some = judged.partial * np.uint8(Lacking.RISK) | settled.walled * np.uint8(Lacking.RAIL)
    return some | np.uint8(always)


@dataclass(frozen=True, slots=True)
class Draft:
    """A run whose outcomes are known and whose effects are not written yet; arrays are of its `n` records."""

    run: Run
    columns: Columns
    folded: Folded
    features: NDArray[np.float64]
    offsets: NDArray[np.int64]
    judged: Judged
    settled: Settled
    withholding: Withholding
    slots: NDArray[np.int64]


def effects_of(
    draft: Draft, accounts: Accounts, position: Position, context: Context, now_ms: int
) -> tuple[list[Message], Position, int]:
    """All that the run leaves behind, the position of the log after it, and how many accounts were swept."""
    names, run = context.names, draft.run
    changelog, swept = _changelog(draft, accounts, context)
    block, after = build_block(
        position,
        _decisions(draft, context),
        Ids.of(draft.columns),
        alerts=int(draft.withholding.sent.sum()),
        watermark_ms=draft.folded.watermark_ms,
        changelog_records=len(changelog),
        changelog_tail=tail_of(changelog),
        versions=context.versions,
        schema_id=context.audit_schema_id,
    )
    messages = _alerts(draft, position, context, now_ms) if draft.withholding.rows.size else []
    to = DeadLetterTopic(names.dlq, names.app_id, context.dlq_max_bytes)
    messages += dead_letters(run, draft.folded.reason, to)
    messages += changelog
    messages.append(Message(names.audit, None, block, run.partition, []))
    return messages, after, swept


def _changelog(draft: Draft, accounts: Accounts, context: Context) -> tuple[list[Message], int]:
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


def _decisions(draft: Draft, context: Context) -> NDArray[np.void]:
    """One audit entry a record."""
    folded, settled = draft.folded, draft.settled
    return decisions_of(
        draft.offsets, draft.judged.scores, folded.disposition, settled.outcomes, folded.reason, folded.flags,
        _lacking(draft.judged, settled, context), draft.withholding.held,
    )  # fmt: skip


def _alerts(draft: Draft, position: Position, context: Context, now_ms: int) -> list[Message]:
    """An alert for each record of `draft.withholding`; only these are ever explained and spelled out."""
    settled, withholding, columns = draft.settled, draft.withholding, draft.columns
    model, names, at, rules = context.model, context.names, withholding.rows, context.rules or NO_RULES
    features, scores = draft.features, draft.judged.scores
    why = None if model is None else left_out(now_ms, draft.run.records.timestamps, at)
    if model is not None and context.explaining:
        why = explain(model, features[at], draft.judged.by[at])
    alerts = alerts_of(
        columns,
        at,
        draft.offsets,
        outcomes=settled.outcomes,
        modelled=settled.modelled,
        scores=scores,
        degraded=_lacking(draft.judged, settled, context),
        thresholds=model or NEVER,
        why=why,
        said=_said(draft, rules),
        notes=notes_of(settled, withholding, context.by_hand, columns),
        telling=Telling(
            withholding.sent,
            withholding.told[at],
            withholding.in_burst[at],
            [withholding.named(row, columns) for row in at.tolist()],
        ),
    )
    issuer = Issuer(
        topic=names.alerts,
        withheld_topic=names.withheld,
        schema_id=context.alert_schema_id,
        app_id=names.app_id,
        detected_at=now_ms,
        model_version="" if model is None else model.version,
        feature_set="" if model is None else model.feature_set,
        source_topic=draft.run.topic,
        source_topic_id=position.topic_id,
        source_partition=draft.run.partition,
    )
    return alert_messages(alerts, issuer)


def _said(draft: Draft, rules: Engine) -> list[tuple[Said, ...]]:
    """What rules say of each row something is written about; nothing of one that only tells a count."""
    at, settled = draft.withholding.rows, draft.settled
    asking = settled.outcomes[at] != APPROVE
    found = in_words(rules, settled.ruled, draft.columns, draft.features, draft.judged.scores, at)
    return [said if asks else () for said, asks in zip(found, asking.tolist(), strict=True)]
