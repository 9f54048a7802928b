"""Backtest: train on what was known, wait as long as labels take, test on what came then, and again further on (prequential).

::

    ------- train ------->|<-- delay -->|<--- test --->|
    -------------- train -------------->|<-- delay -->|<--- test --->|

A fold's models are fitted at the moment its test begins, with the labels that were known by then. Accounts whose fraud was known before a day
leave that day's test: nobody needs a model for them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from monitor.errors import DatasetError
from monitor.learn.baselines import BASELINE_FEATURES, by_amount, by_book_forest, by_rules
from monitor.learn.dataset import Dataset
from monitor.learn.fit import CHALLENGER, RISK, Recipe, fit, scores_of
from monitor.learn.payments import UNKNOWN
from monitor.learn.quality import Quality, precision_recall, quality
from monitor.scoring.model import Model
from monitor.state.layout import DAY_MS

AMOUNT, BOOK, RULES = "amount alone", "textbook forest", "rules alone"
FOREST, WITH_RISK, WITH_CHALLENGER = "forest", "forest, risk beside", "forest, challenger beside"
METHODS = (AMOUNT, BOOK, RULES, FOREST, WITH_RISK, WITH_CHALLENGER)
"""In the order of tables: baselines, then ours."""

OURS = {FOREST: (), WITH_RISK: (RISK,), WITH_CHALLENGER: (CHALLENGER,)}
"""What stands beside the forest in each of ours."""

TRAINING_SHARE = 0.5
"""Of the time, at least: before the first test and its delay."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`folds` tests, each as long as the others, and each with models of `seeds`. `test_days` None: what is left of the time, in equal parts."""

    folds: int = 2
    seeds: tuple[int, ...] = (1, 2, 3)
    test_days: int | None = None
    methods: tuple[str, ...] = METHODS

    def __post_init__(self) -> None:
        unknown = set(self.methods) - set(METHODS)
        if unknown or not self.methods:
            raise DatasetError(f"methods: {', '.join(sorted(unknown)) or 'none'}; choose among {', '.join(METHODS)}")
        if self.folds < 1 or not self.seeds or (self.test_days is not None and self.test_days < 1):
            raise DatasetError(
                f"folds {self.folds}, seeds {self.seeds}, test days {self.test_days}: at least one of each"
            )


@dataclass(frozen=True, slots=True)
class Fold:
    """Trained on what is before `train_to_ms`, when labels up to `test_from_ms` were known, tested until `test_to_ms`."""

    train_to_ms: int
    test_from_ms: int
    test_to_ms: int


@dataclass(frozen=True, slots=True)
class Tried:
    """One method of one fold and seed, and its figures; `curve`: (recall, precision) at evenly spaced recalls."""

    method: str
    fold: int
    seed: int
    quality: Quality
    curve: tuple[tuple[float, float], ...]


def features_needed(recipe: Recipe, plan: Plan) -> tuple[str, ...]:
    """What a replay must keep for the backtest."""
    wanted = [name for method in plan.methods for name in _recipe(recipe, method, 1).names if method in OURS]
    baselines = BASELINE_FEATURES if {AMOUNT, BOOK, RULES} & set(plan.methods) else ()
    return tuple(dict.fromkeys([*wanted, *baselines]))


def folds(data: Dataset, delay_ms: int, plan: Plan) -> list[Fold]:
    """The folds of the data's time, cut at midnights (UTC). Raises `DatasetError` where it is too short for them."""
    first, last = (int(moment) // DAY_MS for moment in (data.event_time.min(), data.event_time.max()))
    delay = -(-delay_ms // DAY_MS)
    begin = first + max(1, round((last + 1 - first) * TRAINING_SHARE)) + delay
    days = (last + 1 - begin) // plan.folds if plan.test_days is None else plan.test_days
    if days < 1 or begin + plan.folds * days > last + 1:
        raise DatasetError(
            f"payments: {last + 1 - first} days; half of them to train, {delay} of delay and {plan.folds} tests of "
            f"{max(days, 1)} days do not fit in: give more of them, or fewer --folds, a shorter --label-delay"
        )
    starts = [begin + number * days for number in range(plan.folds)]
    return [Fold((start - delay) * DAY_MS, start * DAY_MS, (start + days) * DAY_MS) for start in starts]


def backtest(
    data: Dataset, recipe: Recipe, plan: Plan, on_progress: Callable[[str], None] = lambda _what: None
) -> list[Tried]:
    """Every method of the plan, on each fold, with each seed. `data` is in order of event time and has `features_needed`. Raises `DatasetError`."""
    known_from = compromised_from(data)
    found = []
    for number, fold in enumerate(folds(data, recipe.label_delay_ms, plan)):
        training = data.rows(slice(int(np.searchsorted(data.event_time, fold.train_to_ms))))
        test = _test(data, fold, known_from)
        if not test.fraud.any():
            raise DatasetError(
                f"fold {number + 1}: no fraud in its {len(test)} payments; fewer --folds make longer tests"
            )
        for seed in plan.seeds:
            for method in plan.methods:
                on_progress(f"fold {number + 1}, seed {seed}: {method}")
                scores = _scores(method, training, test, _recipe(recipe, method, seed), fold.test_from_ms)
                figures = quality(scores, test, recipe.review_rate)
                found.append(Tried(method, number, seed, figures, precision_recall(scores, test.fraud)))
    return found


def compromised_from(data: Dataset) -> NDArray[np.int64]:
    """When each account's first fraud became known, int64[accounts], by its number; `UNKNOWN` for none."""
    known = np.full(int(data.account.max(initial=-1)) + 1, UNKNOWN)
    np.minimum.at(known, data.account[data.fraud], data.label_time[data.fraud])
    return known


def clean(data: Dataset, known_from: NDArray[np.int64]) -> Dataset:
    """`data` without payments of accounts whose fraud was known before the day (UTC) of the payment."""
    return data.rows(known_from[data.account] >= data.event_time // DAY_MS * DAY_MS)


def _test(data: Dataset, fold: Fold, known_from: NDArray[np.int64]) -> Dataset:
    start, end = np.searchsorted(data.event_time, [fold.test_from_ms, fold.test_to_ms]).tolist()
    return clean(data.rows(slice(start, end)), known_from)


def _recipe(recipe: Recipe, method: str, seed: int) -> Recipe:
    boosting = replace(recipe.boosting, seed=seed)
    return replace(recipe, beside=OURS.get(method, ()), seed=seed, boosting=boosting)


def _scores(method: str, training: Dataset, test: Dataset, recipe: Recipe, now_ms: int) -> NDArray[np.float64]:
    if method == AMOUNT:
        return by_amount(test)
    if method == RULES:
        return by_rules(test)
    if method == BOOK:
        return by_book_forest(training, test, recipe.trees, recipe.samples, recipe.seed)
    model: Model = fit(training, recipe, "backtest", now_ms)
    return scores_of(model, test)


@dataclass(frozen=True, slots=True)
class Interval:
    """Mean of `n` values and the half width of its 95 % interval (Student's t over folds and seeds); 0 for a single value."""

    mean: float
    half_width: float
    n: int


def interval(values: Sequence[float | None]) -> Interval | None:
    """Of the values that are there; None without any."""
    known = np.array([value for value in values if value is not None])
    if not known.size:
        return None
    spread = float(known.std(ddof=1) / np.sqrt(known.size)) if known.size > 1 else 0.0
    return Interval(float(known.mean()), float(student.ppf(0.975, max(known.size - 1, 1))) * spread, known.size)


def by_method(found: Sequence[Tried]) -> Iterator[tuple[str, list[Quality]]]:
    """The figures of each method that was tried, in the order of `METHODS`."""
    for method in METHODS:
        mine = [each.quality for each in found if each.method == method]
        if mine:
            yield method, mine
