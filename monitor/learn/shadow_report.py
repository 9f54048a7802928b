"""What a candidate would have changed: its shadow blocks, each offset once, against what the champion decided, and against labels where there are any."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from monitor.decide.policy import OUTCOMES
from monitor.effects.shadow import ShadowBlock
from monitor.learn.labels import Verdicts
from monitor.state.layout import DAY_MS

MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Differing:
    """A transaction that only one of the two would have alerted."""

    transaction_id: str
    account_id: str
    champion: str
    champion_score: float
    candidate: str
    candidate_score: float
    fraud: bool | None


@dataclass(slots=True)
class ShadowReport:
    """`agreement` int64[3, 3]: transactions by the champion's outcome and the candidate's. `unsaid`: those the candidate could not score.

    `confirmed`: alerts (review and block) of the champion and of the candidate that labels call fraud, and that they call genuine. `missed`: offsets between the first and
    the last seen of a partition that no block covers; among them are duplicates and dead letters.
    """

    champion: set[str] = field(default_factory=set)
    candidate: str = ""
    transactions: int = 0
    repeated: int = 0
    unsaid: int = 0
    missed: int = 0
    first_ms: int = 0
    last_ms: int = 0
    agreement: NDArray[np.int64] = field(default_factory=lambda: np.zeros((len(OUTCOMES), len(OUTCOMES)), np.int64))
    confirmed: Counter[tuple[str, bool]] = field(default_factory=Counter)
    differing: list[Differing] = field(default_factory=list)

    @property
    def days(self) -> float:
        """Of event time covered."""
        return (self.last_ms - self.first_ms) / DAY_MS

    def alerts(self) -> tuple[int, int]:
        """Of the champion, and of the candidate."""
        return int(self.agreement[1:].sum()), int(self.agreement[:, 1:].sum())


def shadow_report(blocks: Iterable[ShadowBlock], candidate: str, verdicts: Verdicts) -> ShadowReport:
    """The report of the blocks of `candidate`, in any order; of an offset that several blocks have the first counts."""
    report = ShadowReport(candidate=candidate)
    seen: dict[tuple[str, int], set[int]] = {}
    spans: dict[tuple[str, int], tuple[int, int]] = {}
    for block in blocks:
        if block.candidate != candidate:
            continue
        place = block.topic_id, block.partition
        known = seen.setdefault(place, set())
        fresh = np.array([each not in known for each in block.offsets.tolist()], np.bool_)
        known.update(block.offsets.tolist())
        low, high = spans.get(place, (block.first_offset, block.last_offset))
        spans[place] = min(low, block.first_offset), max(high, block.last_offset)
        _add(report, block, fresh, verdicts)
    report.missed = sum(high - low + 1 - len(seen[place]) for place, (low, high) in spans.items())
    report.differing.sort(key=lambda each: -abs(each.candidate_score - each.champion_score))
    del report.differing[MOST_SHOWN:]
    return report


def _add(report: ShadowReport, block: ShadowBlock, fresh: NDArray[np.bool_], verdicts: Verdicts) -> None:
    report.champion.add(block.champion)
    report.repeated += int((~fresh).sum())
    report.transactions += int(fresh.sum())
    report.unsaid += int(np.isnan(block.candidate_scores[fresh]).sum())
    if fresh.any():
        report.first_ms = min(report.first_ms or block.first_event_time, block.first_event_time)
        report.last_ms = max(report.last_ms, block.last_event_time)
    np.add.at(report.agreement, (block.champion_outcomes[fresh], block.candidate_outcomes[fresh]), 1)
    for row, transaction, account in block.alerts:
        if not fresh[row]:
            continue
        ours, theirs = int(block.champion_outcomes[row]), int(block.candidate_outcomes[row])
        verdict = verdicts.known.get(transaction.encode())
        fraud = None if verdict is None else verdict[0]
        if fraud is not None:
            report.confirmed.update(
                (who, fraud) for who, outcome in (("champion", ours), ("candidate", theirs)) if outcome
            )
        if (ours == 0) != (theirs == 0):
            scores = float(block.champion_scores[row]), float(block.candidate_scores[row])
            report.differing.append(
                Differing(transaction, account, OUTCOMES[ours], scores[0], OUTCOMES[theirs], scores[1], fraud)
            )
