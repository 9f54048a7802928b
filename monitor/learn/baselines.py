"""What a model has to beat: the amount alone, an isolation forest on textbook features, and a handful of rules."""

import numpy as np
from numpy.typing import NDArray

from monitor.learn.dataset import Dataset
from monitor.learn.estimator import AnomalyForest

BOOK_FEATURES = (
    "amount",
    "hour_rarity",
    "count_24h",
    "mean_24h",
    "count_7d",
    "mean_7d",
    "merchant_risk_7d",
    "merchant_risk_30d",
    "time_since_last",
    "distinct_merchants_24h",
)
"""As a textbook has them: raw amounts, counts and means over windows, and risk of the merchant, all of them inside one forest."""

RULES = (
    ("amount_ratio", 10.0, "amount above ten times the usual one"),
    ("amount_over_max_7d", 5.0, "amount above five times the largest of a week"),
    ("count_5m", 8.0, "more than eight debits in five minutes"),
    ("country_change_speed", 0.5, "another country within two hours"),
    ("drain_ratio_24h", 0.8, "four fifths of what came in goes out"),
    ("merchant_risk_30d", 0.25, "a quarter of the merchant's payments were fraud"),
)
"""(feature, above, what it means): a payment's score is how many hold."""

BASELINE_FEATURES = tuple(dict.fromkeys(["amount", *BOOK_FEATURES, *(name for name, _, _ in RULES)]))
"""All that the baselines look at."""


def by_amount(data: Dataset) -> NDArray[np.float64]:
    """The amount in the base currency, float64[n]."""
    return data.amount.astype(np.float64)


def by_rules(data: Dataset) -> NDArray[np.float64]:
    """How many of `RULES` hold, float64[n]; the amount breaks ties."""
    names = tuple(name for name, _, _ in RULES)
    above = np.array([limit for _, limit, _ in RULES], np.float32)
    held: NDArray[np.float64] = (data.matrix(names) > above).sum(axis=1).astype(np.float64)
    ties: NDArray[np.float64] = data.amount / (1.0 + data.amount.max(initial=0))
    return held + ties


def by_book_forest(training: Dataset, data: Dataset, trees: int, samples: int, seed: int) -> NDArray[np.float64]:
    """Scores of `data` by a forest on `BOOK_FEATURES` of `training`, float64[n]."""
    fitted = AnomalyForest(trees=trees, samples=samples, seed=seed).fit(training.matrix(BOOK_FEATURES))
    return fitted.anomaly_score(data.matrix(BOOK_FEATURES))
