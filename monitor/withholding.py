"""Which alerts of a run are sent, and which are withheld, by what. The outcome of a decision stands either way, and so does the record of the alert."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from monitor.decide.by_hand import NONE, ByHand, Ground
from monitor.decide.cooldown import cool_down
from monitor.decide.policy import ANOMALY, APPROVE, BLOCK, MODEL, Level, combined
from monitor.rails.walled import Walled
from monitor.rules.ruled import Ruled
from monitor.rules.ruleset import RuleSet, State
from monitor.state.dispositions import Held
from monitor.state.kernels import Folded
from monitor.wire.columns import ACCOUNT_ID, CHANNEL, CHANNELS, EVENT_TIME, Columns

_WARM_UP, _SUPPRESSED, _RAIL, _COOLING, _SUMMARY = (
    int(each) for each in (Held.WARM_UP, Held.SUPPRESSED, Held.RAIL, Held.COOLING, Held.SUMMARY)
)
COOL_DOWN = "cool-down"
"""What an alert that it withheld names in `suppressed_by`; a rail is `rail:` and its name, a suppression its id."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What a run of `n` records came to before its alerts: `modelled` uint8[n], what the model asks for; `ruled`, what rules do; `overridden` int64[n], as
    `ByHand` has it; `walled` bool[n], where the record's rail is walled off and decides; `outcomes` uint8[n], of all these.
    """

    modelled: NDArray[np.uint8]
    ruled: Ruled
    overridden: NDArray[np.int64]
    walled: NDArray[np.bool_]
    outcomes: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Withholding:
    """Of a run of `n` records: `held` uint8[n], of `Held`; `rows` int64[m], those that something is written about, of which `sent` bool[m] goes to those who
    look at alerts; `suppressed_by`: the ids of suppressions by row; `told` int64[n], `in_burst` bool[n] as `cool_down` has them.
    """

    held: NDArray[np.uint8]
    rows: NDArray[np.int64]
    sent: NDArray[np.bool_]
    told: NDArray[np.int64]
    in_burst: NDArray[np.bool_]
    suppressed_by: Mapping[int, tuple[str, ...]] = field(default_factory=dict)

    def named(self, row: int, columns: Columns) -> tuple[str, ...]:
        """What withheld the alert of a row, as its `suppressed_by` says; () where it was sent."""
        held = self.held[row]
        if held == _COOLING:
            return (COOL_DOWN,)
        if held == _RAIL:
            return (f"rail:{CHANNELS[int(columns.longs[CHANNEL, row])]}",)
        return self.suppressed_by.get(row, ())


def settle(
    modelled: NDArray[np.uint8],
    ruled: Ruled,
    columns: Columns,
    scored: NDArray[np.bool_],
    by_hand: ByHand,
    walled: Walled,
) -> Settled:
    """What a run comes to; `scored` bool[n]: only these have an outcome that people or rails could change."""
    overridden = by_hand.overridden(columns, scored)
    at_wall = np.zeros(len(columns), np.bool_)
    if walled.channels:
        decides = scored & (ruled.levels != Level.FINAL_BLOCK) & (overridden == NONE)
        at_wall = decides & np.isin(columns.longs[CHANNEL], sorted(walled.channels))
    ruling = combined(modelled, ruled.levels)
    if walled.channels:
        at_wall &= ruling != BLOCK  # a wall never lets through what model or rules would stop
        ruling[at_wall] = walled.outcome
    return Settled(modelled, ruled, overridden, at_wall, by_hand.outcomes(overridden, ruling))


def withheld(
    settled: Settled,
    records: NDArray[np.void],
    slots: NDArray[np.int64],
    offsets: NDArray[np.int64],
    columns: Columns,
    folded: Folded,
    *,
    by_hand: ByHand,
    rules: RuleSet,
    alerts_from_offset: int,
    cooldown_ms: int,
) -> Withholding:
    """`records`: the accounts' (ACCOUNT[capacity]), changed in place. An alert that a person overrode the outcome of is withheld by the cool-down at most."""
    asking, outcomes, held = settled.outcomes != APPROVE, settled.outcomes, np.zeros(len(offsets), np.uint8)
    held[asking & settled.walled] = _RAIL
    held[asking & (offsets < alerts_from_offset)] = _WARM_UP
    suppressed_by: dict[int, tuple[str, ...]] = {}
    times = columns.longs[EVENT_TIME]
    if by_hand.controls.suppressions:
        at = np.flatnonzero(asking & (held == 0) & (settled.overridden == NONE))
        suppressed_by = dict(_suppressed(settled, at, columns, by_hand, rules)) if at.size else {}
        held[list(suppressed_by)] = _SUPPRESSED
    told, in_burst = cool_down(records, slots, times, folded.disposition, folded.flags, outcomes, held, cooldown_ms)
    rows = np.flatnonzero((asking & (held != _WARM_UP)) | (held == _SUMMARY))
    sent = np.isin(held[rows], (int(Held.SENT), _SUMMARY))
    return Withholding(held, rows, sent, told, in_burst, suppressed_by)


def _suppressed(
    settled: Settled, rows: NDArray[np.int64], columns: Columns, by_hand: ByHand, rules: RuleSet
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Those of `rows`, at least one, whose alert is covered by suppressions, and the ids of these."""
    times = columns.longs[EVENT_TIME][rows]
    suppressions = by_hand.in_force(int(times.min()), int(times.max()))
    for row, time in zip(rows.tolist(), times.tolist(), strict=True) if suppressions else ():
        grounds = list(_grounds(settled, row, rules))
        ids = suppressions.covering(columns.text(ACCOUNT_ID, row) or "", time, grounds)
        if ids:
            yield row, ids


def _grounds(settled: Settled, row: int, rules: RuleSet) -> Iterator[Ground]:
    """What asks for the alert of a row."""
    for number, band, _ in settled.ruled.hits.of_row(row):
        rule = rules.rules[number]
        level = rule.bands[band].level
        if rule.state is State.ACTIVE and level != Level.ALLOW:
            yield Ground(rule.rule_id, rule.bands[band].reason_code, level)
    asked = settled.modelled[row]
    if asked != APPROVE:
        yield Ground(MODEL, ANOMALY, Level.BLOCK if asked == BLOCK else Level.REVIEW)
