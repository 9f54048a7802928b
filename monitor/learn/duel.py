"""A model measured on payments, alone or against the champion: figures of both, what they disagree on, and whether anything speaks against it."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.decide.policy import OUTCOMES, outcomes
from monitor.learn.backtest import clean, compromised_from
from monitor.learn.dataset import Dataset
from monitor.learn.evaluate import Evaluation, evaluate
from monitor.learn.fit import scores_of
from monitor.learn.quality import Quality, precision_recall, quality
from monitor.scoring.model import Model

MOST_ALERTS = 3.0
"""Times the alert budget: a model that alerts more than that on new payments is not what its thresholds were chosen for."""

MOST_MORE = 1.5
"""Times what the champion alerts: where the world has changed for both, the budget alone is no measure."""

WORSE = 0.05
"""Share of average precision that a model may lose against the champion: the noise of a test, not a licence."""

FEWEST_FRAUDS = 30
"""Below, average precision says nothing, and is not compared."""

MOST_SHOWN = 25


@dataclass(frozen=True, slots=True)
class Measured:
    """One model on one set of payments: `quality` at the alert budget, `evaluation` at its own thresholds; `scores` float64[n], `outcome` uint8[n]."""

    model: Model
    scores: NDArray[np.float64]
    outcome: NDArray[np.uint8]
    quality: Quality
    evaluation: Evaluation
    curve: tuple[tuple[float, float], ...]

    def figures(self) -> dict[str, Any]:
        """All numbers, as JSON has them."""
        return {"model": self.model.version, "quality": asdict(self.quality), "at_thresholds": asdict(self.evaluation)}


def measured(model: Model, data: Dataset, budget: float) -> Measured:
    """The model's figures on the rows of `data`, which has the model's features."""
    scores = scores_of(model, data)
    found = quality(scores, data, budget)
    curve = precision_recall(scores, data.fraud) if data.fraud.any() else ()
    return Measured(model, scores, outcomes(scores, model), found, evaluate(scores, model, data), curve)


def without_compromised(data: Dataset) -> Dataset:
    """`data` without payments of accounts whose fraud was known before the day."""
    return clean(data, compromised_from(data))


def failings(challenger: Measured, champion: Measured | None) -> tuple[str, ...]:
    """What speaks against serving the challenger, in words; empty for nothing."""
    found = []
    budget, rate = challenger.quality.budget, challenger.evaluation.review.alert_rate
    usual = 0.0 if champion is None else champion.evaluation.review.alert_rate
    if rate > max(MOST_ALERTS * budget, MOST_MORE * usual):
        found.append(
            f"it alerts {rate:.2%} of these payments: more than {MOST_ALERTS:g} times the budget of {budget:.2%}, "
            f"and {MOST_MORE:g} times the {usual:.2%} of the champion"
        )
    if rate == 0.0:
        found.append(f"it alerts none of these {challenger.quality.transactions:,} payments")
    ours, theirs = (
        challenger.quality.average_precision,
        None if champion is None else champion.quality.average_precision,
    )
    if (
        ours is not None
        and theirs is not None
        and challenger.quality.fraud >= FEWEST_FRAUDS
        and ours < theirs * (1 - WORSE)
    ):
        found.append(f"its average precision is {ours:.3f}, the champion's {theirs:.3f}")
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A payment that the two models decide otherwise: `row` of the data, outcomes and scores of challenger and champion."""

    row: int
    fraud: bool
    amount: int
    outcome: str
    score: float
    champion_outcome: str
    champion_score: float


def disagreements(challenger: Measured, champion: Measured, data: Dataset) -> tuple[int, list[Disagreement]]:
    """How many payments the two decide otherwise, and the `MOST_SHOWN` on which they are furthest apart, by rank in each model's scores."""
    differ = np.flatnonzero(challenger.outcome != champion.outcome)
    apart = np.abs(_ranks(challenger.scores)[differ] - _ranks(champion.scores)[differ])
    shown = differ[np.argsort(-apart, kind="stable")[:MOST_SHOWN]]
    return differ.size, [
        Disagreement(
            row=int(data.row[at]),
            fraud=bool(data.fraud[at]),
            amount=int(data.amount[at]),
            outcome=OUTCOMES[challenger.outcome[at]],
            score=float(challenger.scores[at]),
            champion_outcome=OUTCOMES[champion.outcome[at]],
            champion_score=float(champion.scores[at]),
        )
        for at in shown.tolist()
    ]


def _ranks(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    ranks = np.empty(len(scores))
    ranks[np.argsort(scores, kind="stable")] = np.linspace(0, 1, len(scores))
    return ranks


@dataclass(frozen=True, slots=True)
class Duel:
    """A model and the champion (None: nobody) on the same payments. `differ`: how many they decide otherwise; `shown`: those furthest apart;
    `failed`: what speaks against the challenger.
    """

    challenger: Measured
    champion: Measured | None
    data: Dataset
    differ: int
    shown: list[Disagreement]
    failed: tuple[str, ...]

    @property
    def both(self) -> list[Measured]:
        """The challenger, and the champion if there is one."""
        return [self.challenger, *([self.champion] if self.champion else [])]

    def figures(self) -> dict[str, Any]:
        """Everything, as JSON has it."""
        return {
            "payments": len(self.data),
            "data_sha256": self.data.digest,
            "challenger": self.challenger.figures(),
            "champion": None if self.champion is None else self.champion.figures(),
            "decided_otherwise": self.differ,
            "failed": list(self.failed),
        }


def duel(model: Model, champion: Model | None, data: Dataset, budget: float) -> Duel:
    """Both models on `data`, which has the features of both."""
    mine = measured(model, data, budget)
    theirs = None if champion is None else measured(champion, data, budget)
    differ, shown = (0, list[Disagreement]()) if theirs is None else disagreements(mine, theirs, data)
    return Duel(mine, theirs, data, differ, shown, failings(mine, theirs))
