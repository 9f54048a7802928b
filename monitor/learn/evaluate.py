"""How good a model is, against labels: over transactions, and over incidents, which is what an analyst is after."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from monitor.decide.policy import Thresholds
from monitor.learn.dataset import Dataset
from monitor.simulate.scenarios import SCENARIOS


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """What alerting from a score on means. `precision` of the alerts, `recall` of the fraud; None where nothing divides."""

    threshold: float
    alert_rate: float
    false_positive_rate: float | None
    precision: float | None
    recall: float | None


@dataclass(frozen=True, slots=True)
class ScenarioFigures:
    """One kind of fraud, at the review threshold. An incident (one account, one kind) is caught when any of its rows is alerted."""

    name: str
    transactions: int
    recall: float | None
    incidents: int
    incidents_caught: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Figures of one model on one dataset; areas are None without fraud or without anything genuine."""

    transactions: int
    fraud: int
    roc_auc: float | None
    average_precision: float | None
    review: AtThreshold
    block: AtThreshold
    incidents: int
    incidents_caught: int
    scenarios: tuple[ScenarioFigures, ...]


def evaluate(scores: NDArray[np.float64], thresholds: Thresholds, data: Dataset) -> Evaluation:
    """The figures of `scores` float64[n], higher is stranger, on the n rows of `data`."""
    fraud = data.fraud
    both = bool(fraud.any() and not fraud.all())
    alerted = scores >= thresholds.review_threshold
    scenarios = tuple(_scenario(kind.name, data.scenario == kind.code, alerted, data.account) for kind in SCENARIOS)
    return Evaluation(
        transactions=len(data),
        fraud=int(fraud.sum()),
        roc_auc=float(roc_auc_score(fraud, scores)) if both else None,
        average_precision=float(average_precision_score(fraud, scores)) if both else None,
        review=_at(thresholds.review_threshold, scores, fraud),
        block=_at(thresholds.block_threshold, scores, fraud),
        incidents=sum(each.incidents for each in scenarios),
        incidents_caught=sum(each.incidents_caught for each in scenarios),
        scenarios=scenarios,
    )


def _at(threshold: float, scores: NDArray[np.float64], fraud: NDArray[np.bool_]) -> AtThreshold:
    alerted = scores >= threshold
    hits = int((alerted & fraud).sum())
    return AtThreshold(
        threshold=threshold,
        alert_rate=float(alerted.mean()),
        false_positive_rate=_share(int((alerted & ~fraud).sum()), int((~fraud).sum())),
        precision=_share(hits, int(alerted.sum())),
        recall=_share(hits, int(fraud.sum())),
    )


def _scenario(
    name: str, chosen: NDArray[np.bool_], alerted: NDArray[np.bool_], account: NDArray[np.int64]
) -> ScenarioFigures:
    caught = chosen & alerted
    return ScenarioFigures(
        name=name,
        transactions=int(chosen.sum()),
        recall=_share(int(caught.sum()), int(chosen.sum())),
        incidents=int(np.unique(account[chosen]).size),
        incidents_caught=int(np.unique(account[caught]).size),
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
