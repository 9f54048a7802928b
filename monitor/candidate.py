"""The candidate: another model that scores what the champion has decided, from the sideline."""

import numpy as np

from monitor.decide.policy import APPROVE, combined, outcomes
from monitor.effects.shadow import ShadowBlock, shadow_value
from monitor.features.catalogue import ACCOUNT_FEATURES
from monitor.risk.book import with_risk
from monitor.rules.names import SCORE
from monitor.rules.ruled import ruled
from monitor.scoring.model import Model
from monitor.sideline import Aside, Watched
from monitor.state.dispositions import Disposition
from monitor.wire.columns import ACCOUNT_ID, TRANSACTION_ID


class Candidate:
    """Follows whichever version is the candidate; none, and it does not look."""

    name = "candidate"

    def __init__(self, topic: str, schema_id: int) -> None:
        self._topic, self._schema_id = topic, schema_id
        self.model: Model | None = None

    @property
    def looks(self) -> bool:
        """Whether there is a candidate."""
        return self.model is not None

    def see(self, watched: Watched) -> Aside | None:
        """Its block of a run."""
        model = self.model  # it may change meanwhile, in another thread
        if model is None:
            return None
        block = judged(model, watched)
        return Aside(self._topic, str(block.partition).encode(), shadow_value(block, self._schema_id))


def judged(candidate: Model, watched: Watched) -> ShadowBlock:
    """What the candidate thinks of a run, beside what the champion decided."""
    decided, context, records = watched.decided, watched.context, watched.run.records
    columns, kinds = decided.columns, candidate.risk_kinds
    features = decided.features
    if set(kinds) - set(context.risk_kinds):
        features = with_risk(features[:, : len(ACCOUNT_FEATURES)], columns, kinds, context.risk)
    rows = np.flatnonzero(decided.dispositions == int(Disposition.SCORED))
    found = candidate.judge(features[rows])
    levels = decided.settled.ruled.levels
    if context.rules is not None and SCORE in context.rules.names:
        scores = np.full(len(decided.scores), np.nan)
        scores[rows] = found.scores
        levels = ruled(context.rules, columns, features, scores, ~np.isnan(scores)).levels
    theirs, ours = combined(outcomes(found.scores, candidate), levels[rows]), decided.outcomes[rows]
    alerting = np.flatnonzero((ours != APPROVE) | (theirs != APPROVE))
    times = decided.event_times_ms[rows]
    return ShadowBlock(
        champion="" if context.model is None else context.model.version,
        candidate=candidate.version,
        candidate_seal=candidate.seal,
        risk=context.versions.get("risk", ""),
        topic=watched.run.topic,
        topic_id=watched.topic_id,
        partition=watched.run.partition,
        first_offset=records.first_offset,
        last_offset=records.last_offset,
        first_event_time=int(times.min()) if times.size else 0,
        last_event_time=int(times.max()) if times.size else 0,
        offsets=records.offsets[rows],
        champion_scores=decided.scores[rows].astype(np.float32),
        candidate_scores=found.scores.astype(np.float32),
        champion_outcomes=ours,
        candidate_outcomes=theirs,
        alerts=[
            (row, columns.text(TRANSACTION_ID, at) or "", columns.text(ACCOUNT_ID, at) or "")
            for row, at in zip(alerting.tolist(), rows[alerting].tolist(), strict=True)
        ],
    )
