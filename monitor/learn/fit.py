"""Fit a model: an isolation forest on a lean subset of the catalogue, what stands beside it, and thresholds by alert budget.

The forest needs no labels. The risk rule and the challenger do, and use those alone that were known when the training ends.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from monitor.errors import DatasetError
from monitor.features.catalogue import ACCOUNT_FEATURES, RISK_KINDS, RISK_NAMES, risk_name
from monitor.learn.blend import scale_beside
from monitor.learn.challenger import BoostingRecipe, fit_boosted
from monitor.learn.choice import chosen
from monitor.learn.dataset import Dataset
from monitor.learn.estimator import AnomalyForest
from monitor.scoring.model import Model, Part, feature_set_of, features_of
from monitor.scoring.risk_rule import DEFAULT_SHARES, RiskRule
from monitor.state.layout import DAY_MS

DEFAULT_FEATURES = (
    "amount_ratio",
    "pace_ratio",
    "new_merchant",
    "new_device",
    "new_country",
    "country_change_speed",
    "small_count_15m",
    "hour_rarity",
    "credit_count_24h",
)
"""Chosen by measurement: docs/model.md."""

RISK, CHALLENGER = "risk", "challenger"
BESIDE = (RISK, CHALLENGER)
"""What can stand beside the forest."""

CHALLENGER_FEATURES = tuple(feature.name for feature in ACCOUNT_FEATURES) + tuple(
    risk_name(kind, name) for kind in RISK_KINDS for name in RISK_NAMES
)
"""All of the catalogue: boosting, unlike a forest, is not drowned by features that say nothing."""

GOLDEN_ROWS = 16

REVIEW_RATE, BLOCK_RATE = 0.005, 0.001
"""Shares of the training rows that reach review, and block: an alert budget."""

LABEL_DELAY_MS = 7 * DAY_MS


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to fit. `automatic`: of `features`, those that say something only seldom in the training are taken, by rank
    (`monitor/learn/choice.py`). `review_rate`: share of the training rows that reach review; instead of it `alerts_a_day` of them, or `false_positive_rate`, a
    share of those known to be genuine. `block_rate`: share that reaches block. `beside`: of `BESIDE`. `label_delay_ms`: a payment of which nothing was heard for so long is taken for genuine.
    """

    features: tuple[str, ...] = DEFAULT_FEATURES
    automatic: bool = False
    trees: int = 100
    samples: int = 1024
    seed: int = 1
    review_rate: float = REVIEW_RATE
    block_rate: float = BLOCK_RATE
    alerts_a_day: float | None = None
    false_positive_rate: float | None = None
    beside: tuple[str, ...] = ()
    label_delay_ms: int = LABEL_DELAY_MS
    boosting: BoostingRecipe = field(default_factory=BoostingRecipe)

    def __post_init__(self) -> None:
        known = [feature.name for feature in ACCOUNT_FEATURES]
        unknown = [name for name in self.features if name not in known]
        if unknown or not self.features or len(set(self.features)) != len(self.features):
            raise DatasetError(
                f"features: {unknown or list(self.features)}: unknown, none or twice; choose among {', '.join(known)}"
            )
        if not 0 < self.block_rate <= self.review_rate < 1:
            raise DatasetError(
                f"alert rate {self.review_rate}, block rate {self.block_rate}: must be 0 < block <= alert < 1"
            )
        others = (self.alerts_a_day, self.false_positive_rate)
        if None not in others or any(each is not None and each <= 0 for each in others):
            raise DatasetError(
                f"alerts a day {others[0]}, false positive rate {others[1]}: give one of the two, above 0, or the alert rate"
            )
        if set(self.beside) - set(BESIDE) or len(set(self.beside)) != len(self.beside):
            raise DatasetError(f"beside: {', '.join(self.beside)}; choose among {', '.join(BESIDE)}, each once")
        if self.label_delay_ms < 0:
            raise DatasetError(f"label delay {self.label_delay_ms} ms: must not be negative")

    @property
    def names(self) -> tuple[str, ...]:
        """All features that a replay must keep for it."""
        looked_at = {RISK: DEFAULT_SHARES, CHALLENGER: CHALLENGER_FEATURES}
        return tuple(dict.fromkeys([*self.features, *(name for each in self.beside for name in looked_at[each])]))

    @property
    def feature_set(self) -> str:
        """What the features are called together: the forest's, and what is beside it."""
        return "+".join(["lean", *self.beside])


def fit(training: Dataset, recipe: Recipe, version: str, now_ms: int | None = None) -> Model:
    """A model fitted to all rows of `training`. Equal data, recipe and libraries give an equal model. Raises `DatasetError`.

    `now_ms`: when it is fitted; labels from then on are not known (default: just after the last payment). The thresholds are quantiles of
    the training scores, of the later rows where labels took part: about `review_rate` of a stream like the training's is alerted.
    """
    forest = _forest(training, recipe)
    known = known_labels(training, recipe.label_delay_ms, now_ms)
    levels = forest.level(training.matrix(forest.features))
    parts: list[Part] = [forest]
    judged: slice | NDArray[np.int64] = slice(None)
    for name in recipe.beside:
        part, judged = _beside(name, training, known, levels, recipe)
        parts.append(part)
    feature_set = feature_set_of(recipe.feature_set, features_of(parts))
    # thresholds of 1: they are about to be chosen, by the scores of the model itself
    draft = Model(version, tuple(parts), 1.0, 1.0, feature_set)
    usual = training.rows(judged)
    review, block = _thresholds(scores_of(draft, usual), usual, recipe, now_ms)
    return Model(version, draft.parts, review, block, feature_set)


def _thresholds(scores: NDArray[np.float64], data: Dataset, recipe: Recipe, now_ms: int | None) -> tuple[float, float]:
    """Review and block; block is never below review."""
    rate = recipe.review_rate
    if recipe.alerts_a_day is not None:
        days = (int(data.event_time.max()) - int(data.event_time.min()) + 1) / DAY_MS
        rate = min(recipe.alerts_a_day * days / len(data), 1.0)
    review, block = np.quantile(scores, [1 - rate, 1 - min(recipe.block_rate, rate)]).tolist()
    if recipe.false_positive_rate is not None:
        known = known_labels(data, recipe.label_delay_ms, now_ms)
        genuine = known.rows[~known.fraud]
        if not genuine.size:
            raise DatasetError("labels: nothing known to be genuine; a false-positive rate cannot be kept yet")
        review = float(np.quantile(scores[genuine], 1 - min(recipe.false_positive_rate, 1.0)))
    return review, max(review, block)


@dataclass(frozen=True, slots=True)
class KnownLabels:
    """Labels as they stand at one moment: `rows` int64[m], ascending, of the payments that labels had time to reach; `fraud` bool[m] of these."""

    rows: NDArray[np.int64]
    fraud: NDArray[np.bool_]


def known_labels(data: Dataset, delay_ms: int, now_ms: int | None = None) -> KnownLabels:
    """What is known of `data` at `now_ms`, by default just after its last payment, when a label takes at most `delay_ms`."""
    now = int(data.event_time.max(initial=0)) + 1 if now_ms is None else now_ms
    rows = np.flatnonzero(data.event_time < now - delay_ms)
    return KnownLabels(rows, (data.fraud & (data.label_time < now))[rows])


def _forest(training: Dataset, recipe: Recipe) -> Part:
    names = chosen(training.matrix(recipe.features), recipe.features) if recipe.automatic else recipe.features
    if not names:
        raise DatasetError(
            f"features: none of {', '.join(recipe.features)} says something only seldom in these payments; name some with --features"
        )
    rows = training.matrix(names)
    if len(rows) < recipe.samples:
        raise DatasetError(
            f"training rows {len(rows)}: fewer than the {recipe.samples} a tree samples; use more transactions"
        )
    if np.unique(training.account).size == 1:
        raise DatasetError("accounts: 1 in the training data; what is usual takes many to learn")
    if not np.isfinite(rows).all():
        wrong = [name for name, column in zip(names, rows.T, strict=True) if not np.isfinite(column).all()]
        raise DatasetError(f"features {wrong}: not finite in training; leave them out with --features")
    fitted = AnomalyForest(recipe.trees, recipe.samples, recipe.seed, by_rank=recipe.automatic).fit(rows)
    return Part("forest", fitted.forest_, names, _quartiles(rows))


def _beside(
    name: str, training: Dataset, known: KnownLabels, levels: NDArray[np.float64], recipe: Recipe
) -> tuple[Part, slice | NDArray[np.int64]]:
    """The part, and the rows of the training that its scores were learned without."""
    if name == CHALLENGER:
        rows = training.matrix(CHALLENGER_FEATURES)
        boosted = fit_boosted(rows[known.rows], known.fraud, recipe.boosting)
        later = known.rows[-len(boosted.held_out) :]
        scale = scale_beside(levels[later], boosted.held_out, known.fraud[-len(boosted.held_out) :])
        return Part(CHALLENGER, boosted.trees, CHALLENGER_FEATURES, _quartiles(rows), scale), later
    if not known.fraud.any():
        raise DatasetError(
            f"labels: no fraud known among the {known.rows.size} payments that labels had time to reach; "
            "a risk rule has nothing to say yet: leave it out, or wait"
        )
    rows = training.matrix(DEFAULT_SHARES)
    rule = RiskRule(len(DEFAULT_SHARES))
    scores = rule.score(rows)[known.rows]
    scale = scale_beside(levels[known.rows], scores, known.fraud)
    return Part(RISK, rule, DEFAULT_SHARES, _quartiles(rows), scale), slice(None)


def _quartiles(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """float64[2, k], a column at a time: all of them at once as float64 would be twice the data."""
    return np.stack([np.quantile(column.astype(np.float64), [0.25, 0.75]) for column in rows.T], axis=1)


def golden_rows(model: Model, data: Dataset) -> NDArray[np.float32]:
    """Rows spread evenly over the order of the scores, the strangest included: float32[GOLDEN_ROWS, len(model.features)]."""
    order = np.argsort(scores_of(model, data), kind="stable")
    return data.matrix(model.features)[order[np.linspace(0, len(order) - 1, GOLDEN_ROWS).astype(np.int64)]]


def scores_of(model: Model, data: Dataset) -> NDArray[np.float64]:
    """The model's scores of all rows, float64[n]: those that serving gives."""
    return model.judge_own(data.matrix(model.features)).scores
