"""What an alert says: why the model finds the transaction strange, and which rules held, in words."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from monitor.decide.policy import APPROVE, BLOCK, Thresholds
from monitor.effects.alerts import Alerts, RuleHit
from monitor.effects.attributions import Attributions, attributions
from monitor.rules.wording import Said
from monitor.scoring.explain import Explanations
from monitor.wire.columns import Columns


def alerts_of(
    columns: Columns,
    rows: NDArray[np.int64],
    offsets: NDArray[np.int64],
    *,
    outcomes: NDArray[np.uint8],
    modelled: NDArray[np.uint8],
    scores: NDArray[np.float64],
    degraded: NDArray[np.uint8],
    thresholds: Thresholds,
    why: Explanations | None,
    said: Sequence[Sequence[Said]],
) -> Alerts:
    """Alerts about `rows` int64[m] of a run; `why` and `said` are of those, the other arrays of all its records.

    Rules speak first. The model's sentences follow where it would have alerted by itself; its attributions are there wherever it scored.
    """
    asked = modelled[rows]
    reached = np.where(asked == BLOCK, thresholds.block_threshold, thresholds.review_threshold)
    reasons, counts = _reasons(why, said, asked != APPROVE)
    return Alerts(
        columns=columns,
        rows=rows,
        offsets=offsets[rows],
        outcomes=outcomes[rows],
        scores=scores[rows],
        thresholds=np.where(asked == APPROVE, np.nan, reached),
        degraded=degraded[rows],
        reasons=reasons,
        reason_counts=counts,
        rule_hits=[tuple(map(_hit, each)) for each in said],
        attributions=_attributed(why, rows.size),
    )


def _reasons(
    why: Explanations | None, said: Sequence[Sequence[Said]], asked: NDArray[np.bool_]
) -> tuple[list[str], NDArray[np.int64]]:
    """Sentences, one alert after the other, and how many each has."""
    if why is not None and asked.all() and not any(said):
        return why.sentences, why.said
    counts = np.zeros(len(said), np.int64) if why is None else why.said
    ends = np.cumsum(counts).tolist()
    sentences: list[str] = []
    told = []
    for held, also, end, count in zip(said, asked.tolist(), ends, counts.tolist(), strict=True):
        mine = [each.text for each in held]
        if also and why is not None:
            mine += why.sentences[end - count : end]
        sentences += mine
        told.append(len(mine))
    return sentences, np.array(told, np.int64)


def _hit(said: Said) -> RuleHit:
    rule, band = said.rule, said.band
    return RuleHit(rule.rule_id, str(rule.version), band.reason_code, band.action, said.text)


def _attributed(why: Explanations | None, alerts: int) -> Attributions:
    if why is None:
        nothing = np.zeros((alerts, 0))
        return attributions((), nothing, nothing, nothing, nothing, nothing, np.zeros((alerts, 0), np.int64))
    return attributions(
        why.features, why.values, why.baselines, why.contributions, why.shares, why.percentiles, why.order
    )
