"""What an alert says: why the model finds the transaction strange, and which rules held, in words."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.decide.by_hand import NONE, ByHand
from monitor.decide.policy import APPROVE, BLOCK, OUTCOMES, Thresholds
from monitor.effects.alerts import Alerts, RuleHit, Telling
from monitor.effects.attributions import Attributions, attributions
from monitor.rules.wording import Said
from monitor.scoring.explain import Explanations
from monitor.wire.columns import CHANNEL, CHANNELS, Columns
from monitor.withholding import Settled, Withholding


def alerting_name(cooldown_ms: int) -> str:
    """How alerts are sent, as audit blocks have it."""
    return f"cooldown={cooldown_ms}ms"


def cooldown_of(versions: Mapping[str, str]) -> int:
    """The cool-down, in ms, that a block of these versions was decided with; 0 for those from before there was one."""
    return int(versions.get("alerting", alerting_name(0)).removeprefix("cooldown=").removesuffix("ms"))


class Notes(NamedTuple):
    """Sentences of an alert that neither model nor rules say: `before` and `behind` theirs."""

    before: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()


NO_NOTES = Notes()


def notes_of(settled: Settled, withholding: Withholding, by_hand: ByHand, columns: Columns) -> list[Notes]:
    """Those of each of the `withholding`'s rows: who overruled, and what was withheld before."""
    rows, found = withholding.rows, [NO_NOTES] * withholding.rows.size
    special = (settled.overridden[rows] != NONE) | settled.walled[rows] | (withholding.told[rows] > 0)
    for place in np.flatnonzero(special).tolist():
        row = int(rows[place])
        found[place] = Notes(
            tuple(_overruled(settled, by_hand, columns, row)), tuple(_counted(settled, int(withholding.told[row]), row))
        )
    return found


def _overruled(settled: Settled, by_hand: ByHand, columns: Columns, row: int) -> Iterator[str]:
    outcome, place = OUTCOMES[int(settled.outcomes[row])], int(settled.overridden[row])
    if outcome == OUTCOMES[APPROVE]:
        return
    if place != NONE:
        yield f"a person decided {outcome} for this account (override {by_hand.override(place).control_id})"
    elif settled.walled[row]:
        yield f"the rail {CHANNELS[int(columns.longs[CHANNEL, row])]} is walled off; what came by it gets the outcome {outcome}"


def _counted(settled: Settled, told: int, row: int) -> Iterator[str]:
    if told and settled.outcomes[row] == APPROVE:
        yield f"the burst on this account is over: {told:,} more alerts were withheld"
    elif told:
        yield f"{told:,} more alerts of this account were withheld since the one before"


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
    notes: Sequence[Notes],
    telling: Telling,
) -> Alerts:
    """Alerts about `rows` int64[m] of a run; `why`, `said`, `notes` and `telling` are of those, the other arrays of all its records.

    What overrules model and rules is said first, then rules speak. The model's sentences follow where it would have alerted by itself; its attributions are there wherever it scored.
    """
    asked = modelled[rows]
    reached = np.where(asked == BLOCK, thresholds.block_threshold, thresholds.review_threshold)
    reasons, counts = _reasons(why, said, notes, (asked != APPROVE) & (outcomes[rows] != APPROVE))
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
        telling=telling,
    )


def _reasons(
    why: Explanations | None, said: Sequence[Sequence[Said]], notes: Sequence[Notes], asked: NDArray[np.bool_]
) -> tuple[list[str], NDArray[np.int64]]:
    """Sentences, one alert after the other, and how many each has."""
    if why is not None and asked.all() and not any(said) and not any(map(any, notes)):
        return why.sentences, why.said
    counts = np.zeros(len(said), np.int64) if why is None else why.said
    ends = np.cumsum(counts).tolist()
    sentences: list[str] = []
    told = []
    for held, (before, behind), also, end, count in zip(
        said, notes, asked.tolist(), ends, counts.tolist(), strict=True
    ):
        mine = [*before, *(each.text for each in held)]
        if also and why is not None:
            mine += why.sentences[end - count : end]
        mine += behind
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
