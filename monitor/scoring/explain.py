"""Why a row is strange: what each feature took away from its path length, and a sentence a person can read.

For every node of a tree, E(node) is the path length to expect below it (`forest.expected_paths`). A row that passes a split on feature
f from `node` to `child` gains or loses E(node) - E(child): positive means that this split made the row more isolated than rows
usually are there. Along a path the terms telescope, so a row's contributions, averaged over the trees, sum to
(expected path length) - (actual path length).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.features.catalogue import CATALOGUE, INDEX, Feature
from monitor.scoring.model import Model
from monitor.scoring.walk import contributions as walk_contributions

MOST_REASONS = 3
"""Sentences an alert carries: a reader stops at the third."""

STRANGE_WHEN_LOW = frozenset({"time_since_last", "mean_gap", "account_age", "events_total"})
"""Features whose small values are the suspicious ones."""

COMBINATION = "an unusual combination of values that are not unusual one by one"


@dataclass(frozen=True, slots=True)
class Attribution:
    """One feature's part in a score: `value` in the catalogue's `unit`, `baseline` in its own feature's, `contribution` in splits."""

    feature: str
    value: float
    unit: str
    baseline: float | None
    contribution: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """Of one row. `contributions` float64[k], in the order of the model's features; `attributions` the same by name, strongest first.

    `sum(contributions) == expected_path - actual_path`, to float64 rounding. `reasons`: one to three sentences, strongest first,
    of features that made the row stranger and whose value is beyond the quartile of the training's: true when read alone.
    """

    contributions: NDArray[np.float64]
    expected_path: float
    actual_path: float
    attributions: tuple[Attribution, ...]
    reasons: tuple[str, ...]


def explain(model: Model, features: NDArray[np.float64]) -> list[Explanation]:
    """Explain each row of `features` float64[m, len(CATALOGUE)]: the rows that become alerts, not the whole run."""
    forest = model.forest
    taken, actual = walk_contributions(model.rows(features), forest.feature, forest.threshold, model.expected_paths)
    expected = float(model.expected_paths[:, 0].mean())
    return [_explanation(model, features[i], taken[i], expected, float(actual[i])) for i in range(len(features))]


def sentence(feature: Feature, value: float, baseline: float | None) -> str:
    """The catalogue's sentence, with its numbers as people write them."""
    if feature.name == "time_since_last" and value < 0:
        return "this account's first event"
    usual = ""
    if baseline is not None and feature.baseline is not None:
        usual = readable(CATALOGUE[INDEX[feature.baseline]].unit, baseline)
    return feature.sentence.format(value=readable(feature.unit, value), baseline=usual)


def readable(unit: str, value: float) -> str:
    """`value` as a person writes it: money in major units, shares in per cent, counts whole unless they are means."""
    if unit == "base minor":
        return f"{value / 100:,.2f}"
    if unit == "share":
        return f"{100 * value:.0f} %"
    if value == round(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 1 else f"{value:.1f}"


def _explanation(
    model: Model,
    row: NDArray[np.float64],
    taken: NDArray[np.float64],
    expected: float,
    actual: float,
) -> Explanation:
    attributions: list[Attribution] = []
    reasons: list[str] = []
    for place in np.argsort(-taken, kind="stable").tolist():
        feature = CATALOGUE[INDEX[model.features[place]]]
        value = float(row[INDEX[feature.name]])
        baseline = None if feature.baseline is None else float(row[INDEX[feature.baseline]])
        contribution = float(taken[place])
        attributions.append(Attribution(feature.name, value, feature.unit, baseline, contribution))
        if contribution > 0 and len(reasons) < MOST_REASONS and _is_unusual(feature, value, model.quartiles[:, place]):
            reasons.append(sentence(feature, value, baseline))
    return Explanation(taken, expected, actual, tuple(attributions), tuple(reasons or [COMBINATION]))


def _is_unusual(feature: Feature, value: float, quartiles: NDArray[np.float64]) -> bool:
    return bool(value < quartiles[0] if feature.name in STRANGE_WHEN_LOW else value > quartiles[1])
