"""How well scores rank: figures that do not depend on a threshold, and those of an alert budget."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from monitor.learn.dataset import Dataset
from monitor.simulate.scenarios import SCENARIOS
from monitor.state.layout import DAY_MS
from monitor.wire.columns import CHANNELS

CARDS_A_DAY = 100
"""Accounts that analysts look at a day, for card precision."""


@dataclass(frozen=True, slots=True)
class Group:
    """Payments of one rail, or of one of the simulator's kinds of fraud: how many, how many of them fraud, alerted, and both."""

    name: str
    transactions: int
    fraud: int
    alerted: int
    caught: int


@dataclass(frozen=True, slots=True)
class Quality:
    """Figures of one ranking of `transactions` payments over `days` days; None where nothing divides.

    `card_precision`: of the `CARDS_A_DAY` accounts with the highest score of a day, the share that had fraud that day, mean over days
    (Le Borgne et al., "Reproducible Machine Learning for Credit Card Fraud Detection", chapter 4). `precision`, `recall`, `alerts_a_day` and
    `saved` (base currency, minor units: fraud that was alerted; `lost` is the other) are those of alerting the `budget` share of payments with the highest scores.
    """

    transactions: int
    fraud: int
    days: float
    roc_auc: float | None
    average_precision: float | None
    card_precision: float | None
    budget: float
    precision: float | None
    recall: float | None
    alerts_a_day: float
    saved: int
    lost: int
    rails: tuple[Group, ...]
    scenarios: tuple[Group, ...]


def quality(scores: NDArray[np.float64], data: Dataset, budget: float) -> Quality:
    """The figures of `scores` float64[n], higher is stranger, on the n rows of `data`; NaN is the least of all."""
    scores = np.where(np.isnan(scores), -np.inf, scores)
    fraud, n = data.fraud, len(data)
    both = bool(fraud.any() and not fraud.all())
    finite = np.maximum(scores, np.finfo(np.float64).min)
    alerted = _most(scores, round(budget * n))
    caught = alerted & fraud
    days = float(data.event_time.max() - data.event_time.min() + 1) / DAY_MS if n else 0.0
    return Quality(
        transactions=n,
        fraud=int(fraud.sum()),
        days=days,
        roc_auc=float(roc_auc_score(fraud, finite)) if both else None,
        average_precision=float(average_precision_score(fraud, finite)) if both else None,
        card_precision=card_precision(scores, data, CARDS_A_DAY),
        budget=budget,
        precision=_share(int(caught.sum()), int(alerted.sum())),
        recall=_share(int(caught.sum()), int(fraud.sum())),
        alerts_a_day=float(alerted.sum()) / days if days else 0.0,
        saved=int(data.amount[caught].sum()),
        lost=int(data.amount[fraud & ~alerted].sum()),
        rails=_groups(data.channel, enumerate(CHANNELS), fraud, alerted),
        scenarios=_groups(data.scenario, ((each.code, each.name) for each in SCENARIOS), fraud, alerted),
    )


def _groups(
    codes: NDArray[np.uint8],
    names: Iterable[tuple[int, str]],
    fraud: NDArray[np.bool_],
    alerted: NDArray[np.bool_],
) -> tuple[Group, ...]:
    """Of each code that occurs."""
    found = []
    for code, name in names:
        here = codes == code
        if here.any():
            counts = (int((here & each).sum()) for each in (fraud, alerted, fraud & alerted))
            found.append(Group(name, int(here.sum()), *counts))
    return tuple(found)


def precision_recall(
    scores: NDArray[np.float64], fraud: NDArray[np.bool_], points: int = 51
) -> tuple[tuple[float, float], ...]:
    """(recall, precision) at `points` evenly spaced recalls, of `scores` float64[n] against `fraud` bool[n], some of it true.

    Precision at a recall is the best that can be had at it or above, as is usual for such curves.
    """
    precision, recall, _ = precision_recall_curve(fraud, np.where(np.isnan(scores), np.finfo(np.float64).min, scores))
    best = np.maximum.accumulate(precision[:-1])  # recall falls along it; the last point, recall 0, is nobody's
    wanted = np.linspace(0.0, 1.0, points)
    found = best[::-1][np.searchsorted(recall[-2::-1], wanted - 1e-12)]
    return tuple(zip(wanted.tolist(), found.tolist(), strict=True))


def card_precision(scores: NDArray[np.float64], data: Dataset, cards: int) -> float | None:
    """Mean over the days (UTC) of the share of fraud among the `cards` accounts that score highest; None without any payment."""
    shares = []
    day = data.event_time // DAY_MS
    order = np.lexsort((-scores, data.account, day))
    account, day = data.account[order], day[order]
    first = np.ones(len(order), np.bool_)
    first[1:] = (account[1:] != account[:-1]) | (day[1:] != day[:-1])
    starts = np.flatnonzero(first)
    if not starts.size:
        return None
    most, hit = scores[order][starts], np.logical_or.reduceat(data.fraud[order], starts)
    for each in np.unique(day[starts]):
        here = day[starts] == each
        shares.append(float(hit[here][_most(most[here], cards)].mean()))
    return float(np.mean(shares))


def _most(scores: NDArray[np.float64], count: int) -> NDArray[np.bool_]:
    """bool[n]: the `count` highest, or all there are; of equals the earlier ones."""
    chosen = np.zeros(len(scores), np.bool_)
    chosen[np.argsort(-scores, kind="stable")[:count]] = True
    return chosen


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
