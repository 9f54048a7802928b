"""Why a row is strange: what each feature did to its score, and a sentence a person can read.

The part of the model whose score it is says what its features did (`Method.contributions`): trees by what each split took away or added
(`monitor/scoring/complete.py`), the risk rule by its shares. Features that this part does not look at did nothing.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.features.catalogue import CATALOGUE, INDEX, RISK_KINDS, Feature, risk_name
from monitor.features.readable import readable
from monitor.scoring.model import Model, as_rows

MOST_REASONS = 3
"""Sentences an alert carries: a reader stops at the third."""

STRANGE_WHEN_LOW = frozenset({"time_since_last", "mean_gap", "account_age", "events_total"}) | {
    risk_name(kind, name) for kind in RISK_KINDS for name in ("first_fraud_age", "last_fraud_age")
}
"""Features whose small values are the suspicious ones."""

MUCH = 0.95
"""Percentile from which on a sentence tells it."""

PER_HOUR = "1/h"
"""The unit of what a sentence tells as a time."""

_ONE = {"debits": "debit", "credits": "credit", "events": "event"}

_COMPARED = frozenset(
    feature.name
    for feature in CATALOGUE
    if feature.baseline is None and feature.unit not in ("0 or 1", PER_HOUR) and feature.name not in STRANGE_WHEN_LOW
)
"""Features whose sentences tell how many payments have less; of truths, and of times, "more than" would be no sense."""

COMBINATION = "an unusual combination of values that are not unusual one by one"


class Attribution(NamedTuple):
    """One feature's part in a score: `value` in the catalogue's `unit`, `baseline` in its own feature's, `contribution` in splits (forest), log-odds (challenger) or shares (risk).

    `share`: its part of all contributions above 0; `percentile`: the share of the training's payments with a smaller value.
    """

    feature: str
    value: float
    unit: str
    baseline: float | None
    contribution: float
    share: float
    percentile: float | None


class Explanations(NamedTuple):
    """Of `m` rows, over the model's `k` features: `contributions`, `values` and `baselines` float64[m, k] (a value's own where there is
    no baseline), `shares` and `percentiles` float64[m, k] (0 to 1; NaN: not known), `order` int64[m, k]: places in `features`, strongest first.

    `sentences`: of each row one to three, as `said` int64[m] says, one row after the other, strongest first, of features that made the row
    stranger and whose value is beyond the quartile of the training's: true when read alone.
    """

    features: tuple[Feature, ...]
    contributions: NDArray[np.float64]
    values: NDArray[np.float64]
    baselines: NDArray[np.float64]
    shares: NDArray[np.float64]
    percentiles: NDArray[np.float64]
    order: NDArray[np.int64]
    sentences: list[str]
    said: NDArray[np.int64]

    def reasons(self, row: int) -> tuple[str, ...]:
        """The sentences of one row."""
        last = int(self.said[: row + 1].sum())
        return tuple(self.sentences[last - int(self.said[row]) : last])

    def attributions(self, row: int) -> tuple[Attribution, ...]:
        """What each feature had to do with one row, by name, strongest first."""
        return tuple(
            Attribution(
                feature.name,
                float(self.values[row, place]),
                feature.unit,
                None if feature.baseline is None else float(self.baselines[row, place]),
                float(self.contributions[row, place]),
                float(self.shares[row, place]),
                None if np.isnan(self.percentiles[row, place]) else float(self.percentiles[row, place]),
            )
            for place, feature in ((place, self.features[place]) for place in self.order[row].tolist())
        )


def explain(model: Model, features: NDArray[np.float64], by: NDArray[np.uint8]) -> Explanations:
    """Explain each row of `features` float64[m, len(CATALOGUE)], whose scores are those of the parts `by`: the rows that become alerts."""
    columns = _columns(model.features)
    taken = np.zeros((len(features), len(model.features)))
    usual = np.zeros((2, *taken.shape))
    for number, (part, places) in enumerate(zip(model.parts, model.places, strict=True)):
        rows = np.flatnonzero(by == number)
        if rows.size:
            taken[rows[:, None], places] = part.method.contributions(as_rows(features[rows], part.columns))
            usual[:, rows[:, None], places] = part.quartiles[:, None, :]
    values, baselines = features[:, columns.values], features[:, columns.baselines]
    unusual = np.where(columns.low, values < usual[0], values > usual[1]) & (taken > 0)
    shares, percentiles = _shares(taken), _percentiles(model, values)
    order = np.argsort(-taken, axis=1, kind="stable")
    numbers = (values, baselines, percentiles)
    sentences, said = _sentences(columns.features, numbers, np.take_along_axis(unusual, order, 1), order)
    return Explanations(columns.features, taken, values, baselines, shares, percentiles, order, sentences, said)


def _shares(contributions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each row's contributions above 0, what part each is; 0 for the others."""
    stranger = np.where(contributions > 0, contributions, 0.0)
    whole = stranger.sum(axis=1, keepdims=True)
    shares: NDArray[np.float64] = np.divide(stranger, whole, out=np.zeros_like(stranger), where=whole > 0)
    return shares


def _percentiles(model: Model, values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.full(values.shape, np.nan) if model.percentiles is None else model.percentiles.shares(values)


def left_out(now_ms: int, written_ms: NDArray[np.int64], rows: NDArray[np.int64]) -> Explanations:
    """In place of explanations of `rows` int64[m]: a sentence each, and no attributions.

    `written_ms` int64[n]: Kafka timestamps of the run's records; one before the first's, or without any, counts as the first.
    """
    m = len(rows)
    nothing, late_ms = np.zeros((m, 0)), now_ms - np.maximum(written_ms[rows], written_ms[0])
    sentences = [f"explanation left out: decided {max(late, 0) // 1000} s late" for late in late_ms.tolist()]
    order, said = np.zeros((m, 0), np.int64), np.ones(m, np.int64)
    return Explanations((), nothing, nothing, nothing, nothing, nothing, order, sentences, said)


def _sentences(
    features: tuple[Feature, ...],
    numbers: tuple[NDArray[np.float64], ...],
    unusual: NDArray[np.bool_],
    order: NDArray[np.int64],
) -> tuple[list[str], NDArray[np.int64]]:
    """Of all rows, one after the other, and how many of each; `unusual` goes with `order`, the `numbers` (values, baselines, percentiles) with `features`."""
    chosen = unusual & (unusual.cumsum(axis=1) <= MOST_REASONS)
    combined = np.logical_not(chosen.any(axis=1))
    chosen[:, 0] |= combined
    rows, ranks = np.nonzero(chosen)
    places = order[rows, ranks]
    known = (np.take(combined, rows), places, *(each[rows, places] for each in numbers))
    sentences = [
        COMBINATION if together else sentence(features[place], value, baseline, percentile)
        for together, place, value, baseline, percentile in zip(*(each.tolist() for each in known), strict=True)
    ]
    return sentences, chosen.sum(axis=1)


def sentence(feature: Feature, value: float, baseline: float | None, percentile: float = math.nan) -> str:
    """The catalogue's sentence, with its numbers as people write them; where the account has no usual value, also how seldom so much is, if it is."""
    if feature.name == "time_since_last" and value < 0:
        return "this account's first event"
    usual = ""
    if baseline is not None and feature.baseline is not None:
        usual = readable(CATALOGUE[INDEX[feature.baseline]].unit, baseline)
    value_text = _time(1 / value) if feature.unit == PER_HOUR and value > 0 else readable(feature.unit, value)
    said = feature.sentence.format(value=value_text, baseline=usual)
    if value == 1 and feature.unit in _ONE:
        said = said.replace(f"1 {feature.unit}", f"1 {_ONE[feature.unit]}", 1)
    return f"{said}, {_MORE_THAN[int(1000 * percentile)]}" if percentile >= MUCH and feature.name in _COMPARED else said


def _time(hours: float) -> str:
    return f"{60 * hours:.0f} min" if hours < 2 else f"{readable('h', hours)} h"


def _more_than(per_mille: int) -> str:
    """How many payments have less, rounded down to the resolution of percentiles, and never all: no more than is true."""
    share = min(per_mille, 999) / 10 if per_mille >= 990 else per_mille // 10
    return f"more than in {share:g} % of payments"


_MORE_THAN = tuple(_more_than(per_mille) for per_mille in range(1001))


class _Columns(NamedTuple):
    """A model's `k` features, `values` int64[k] where they are in the catalogue, `baselines` int64[k] where their usual values are (their own
    place: they have none), `low` bool[k] whether small values are the suspicious ones.
    """

    features: tuple[Feature, ...]
    values: NDArray[np.int64]
    baselines: NDArray[np.int64]
    low: NDArray[np.bool_]


@lru_cache(8)
def _columns(names: tuple[str, ...]) -> _Columns:
    features = tuple(CATALOGUE[INDEX[name]] for name in names)
    baselines = np.array([INDEX[feature.baseline or feature.name] for feature in features], np.int64)
    values = np.array([INDEX[name] for name in names], np.int64)
    return _Columns(features, values, baselines, np.array([name in STRANGE_WHEN_LOW for name in names], np.bool_))
