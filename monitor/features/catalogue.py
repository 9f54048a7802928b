"""The catalogue: every feature by name, with its unit and meaning, in the order of the feature matrix's columns.

All features of a run are one matrix, float64[n, len(CATALOGUE)], row i computed strictly from the account's past before
record i. Money is in minor units of the base currency, and windows hold debits unless the name says credit. A window of
length W at event time t is [t - W, t); 1, 5 and 15 minutes are exact while the ring holds them (`ring_saturated` says when not),
longer ones have tile edges: see `monitor/state/layout.py`. For a credit the amount features are neutral (z 0, ratios 0), since
the baselines are of debits. The first columns are the account's, written by `monitor/state/kernels.py`. Behind them stand those of
what the payment touches: the risk that labels give to its merchant, device and place, written by `monitor/risk/book.py`, and NaN where no snapshot of
labels was in force at the payment's time.
"""

from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True, slots=True)
class Feature:
    """One column: `unit` is what a person reads; `sentence` has `{value}` and, where the account has a usual value, `{baseline}`;
    `baseline` names the feature that serves as the account's usual value, if any.
    """

    name: str
    unit: str
    meaning: str
    sentence: str
    baseline: str | None = None


# One feature a line.
# fmt: off
ACCOUNT_FEATURES: tuple[Feature, ...] = (
    Feature("amount", "base minor", "The amount in the base currency.", "amount {value}; this account's mean is {baseline}", "mean_amount"),
    Feature("mean_amount", "base minor", "The account's usual debit: exponentially weighted mean, updates clipped at mean + 3 deviations.", "usual amount {value}"),
    Feature("amount_z", "deviations", "(amount - mean) / deviation, shrunk by n / (n + 3) while the account is young; 0 for credits.", "amount {value} deviations above this account's mean"),
    Feature("amount_ratio", "ratio", "amount / (mean + 1), shrunk by n / (n + 3) towards 0; 0 for credits.", "amount {value} times this account's usual amount"),
    Feature("amount_over_max_7d", "ratio", "amount / (max_7d + 1); 0 for credits, and without a debit in 7 days.", "amount {value} times the largest of the last 7 days"),
    Feature("amount_share_24h", "share", "amount / (sum_24h + amount); 0 for credits and for amount 0.", "{value} of all money out in 24 h"),
    Feature("count_1m", "debits", "Debits in the last minute.", "{value} debits in 1 min"),
    Feature("count_5m", "debits", "Debits in the last 5 minutes; a lower bound when the ring is saturated.", "{value} debits in 5 min; this account's usual maximum is {baseline}", "busiest_5m"),
    Feature("count_15m", "debits", "Debits in the last 15 minutes; a lower bound when the ring is saturated.", "{value} debits in 15 min"),
    Feature("count_1h", "debits", "Debits in the last hour.", "{value} debits in 1 h; its usual hour has {baseline}", "usual_count_1h"),
    Feature("count_24h", "debits", "Debits in the last 24 hours.", "{value} debits in 24 h"),
    Feature("count_7d", "debits", "Debits in the last 7 days.", "{value} debits in 7 days"),
    Feature("usual_count_1h", "debits", "count_7d / 168: the account's mean hour of the week.", "{value} debits in a usual hour"),
    Feature("pace_ratio", "ratio", "(count_1h + 1) / (usual_count_1h + 1): how much faster than usual.", "{value} times its usual pace"),
    Feature("sum_5m", "base minor", "Money out in the last 5 minutes; a lower bound when the ring is saturated.", "{value} out in 5 min"),
    Feature("sum_1h", "base minor", "Money out in the last hour.", "{value} out in 1 h"),
    Feature("sum_24h", "base minor", "Money out in the last 24 hours.", "{value} out in 24 h"),
    Feature("sum_7d", "base minor", "Money out in the last 7 days.", "{value} out in 7 days"),
    Feature("mean_5m", "base minor", "sum_5m / count_5m, 0 without debits.", "mean of {value} over 5 min"),
    Feature("mean_1h", "base minor", "sum_1h / count_1h, 0 without debits.", "mean of {value} over 1 h"),
    Feature("mean_24h", "base minor", "sum_24h / count_24h, 0 without debits.", "mean of {value} over 24 h"),
    Feature("mean_7d", "base minor", "sum_7d / count_7d, 0 without debits.", "mean of {value} over 7 days"),
    Feature("max_5m", "base minor", "Largest debit in the last 5 minutes; a lower bound when the ring is saturated.", "largest debit in 5 min {value}"),
    Feature("max_1h", "base minor", "Largest debit in the last hour, rounded to float32.", "largest debit in 1 h {value}"),
    Feature("max_24h", "base minor", "Largest debit in the last 24 hours, rounded to float32.", "largest debit in 24 h {value}"),
    Feature("max_7d", "base minor", "Largest debit in the last 7 days, rounded to float32.", "largest debit in 7 days {value}"),
    Feature("small_count_15m", "debits", "Debits in the last 15 minutes below a tenth of the account's mean: the mark of card testing.", "{value} unusually small debits in 15 min"),
    Feature("time_since_last", "s", "Seconds since the newest event before this one; -1 for the first, 0 for a late one.", "{value} s after the event before; usual gap {baseline} s", "mean_gap"),
    Feature("mean_gap", "s", "The account's usual gap between events: exponentially weighted mean.", "usual gap {value} s"),
    Feature("new_merchant", "0 or 1", "The merchant is not among the last 24 distinct ones; 0 when null or the account's first.", "a merchant this account has not used"),
    Feature("new_device", "0 or 1", "The device is not among the last 8 distinct ones; 0 when null or the account's first.", "a device this account has not used"),
    Feature("new_country", "0 or 1", "The country is not among the last 8 distinct ones; 0 when null or the account's first.", "a country this account has not been in"),
    Feature("country_change_speed", "1/h", "1 / hours since the last event, at least one minute, when the country differs from the last known one, else 0.", "another country than {value} before"),
    Feature("distinct_merchants_24h", "merchants", "Distinct merchants of debits in 24 hours, by linear counting in 32 bits; saturates at 111.", "{value} different merchants in 24 h"),
    Feature("hour_rarity", "share", "1 - share of the account's events in this hour of day relative to its busiest hour, shrunk by n / (n + 24).", "an unusual hour of the day, {value} below its busiest"),
    Feature("surprises_14d", "debits", "Debits with amount_z > 3 in the last 14 days.", "{value} surprising amounts in 14 days"),
    Feature("account_age", "s", "Seconds since the account's first event; 0 for the first.", "an account {value} s old"),
    Feature("events_total", "events", "Events folded since the account was first seen.", "{value} events so far"),
    Feature("credit_count_24h", "credits", "Credits in the last 24 hours.", "{value} credits received in 24 h"),
    Feature("credit_sum_24h", "base minor", "Money in over the last 24 hours.", "{value} in over 24 h"),
    Feature("drain_ratio_24h", "ratio", "For a debit, (sum_24h + amount) / (credit_sum_24h + 1) when there was a credit in 24 h, else 0; at most 100.", "{value} of the money that came in goes out"),
    Feature("is_credit", "0 or 1", "1 for money in.", "money in"),
    Feature("ring_saturated", "0 or 1", "1 when the ring no longer holds all events of the last 15 minutes.", "a burst longer than the memory of single events"),
    Feature("busiest_5m", "debits", "The greatest count_5m of a debit on one of the 13 days before this event's.", "{value} debits in the busiest 5 min of two weeks"),
)

_RISK = (
    ("risk_3d", "share", "Confirmed frauds / (payments + 3) at this {kind} in the last 3 days that labels have had time to reach.", "{{value}} of what this {kind} took lately was fraud"),
    ("risk_7d", "share", "The same over 7 days.", "{{value}} of a week's payments at this {kind} were fraud"),
    ("risk_30d", "share", "The same over 30 days.", "{{value}} of a month's payments at this {kind} were fraud"),
    ("low_fraud_risk_30d", "share", "Confirmed frauds of at most the 90 % quantile of amounts / (payments + 3), over 30 days: fraud that its amount does not explain.", "{{value}} of a month's payments at this {kind} were fraud of an ordinary amount"),
    ("first_fraud_age", "days", "Days since the first confirmed fraud of 30 days at this {kind}; 365 without one.", "first fraud at this {kind} {{value}} days ago"),
    ("last_fraud_age", "days", "Days since the last confirmed fraud of 30 days at this {kind}; 365 without one.", "last fraud at this {kind} {{value}} days ago"),
    ("fraud_streak", "frauds", "Confirmed frauds at this {kind} with nothing genuine after them.", "the last {{value}} payments known of this {kind} were all fraud"),
    ("risk_now", "share", "(1 - (1 - risk_3d) * (1 - risk_7d)) / (1 + (first_fraud_age / 25)^2): fraud found lately, less the longer it has been known, since what is known is mended.", "{{value}} of what this {kind} took lately was fraud, and that is new"),
)
# fmt: on

RISK_KINDS = ("merchant", "device", "place")
"""What a payment touches beside its account; a place is a country and a merchant category."""

RISK_NAMES = tuple(name for name, *_ in _RISK)
"""Features of each kind, in the order of their columns."""


def risk_name(kind: str, name: str) -> str:
    """The feature `name` of the kind, such as `merchant_risk_7d`."""
    return f"{kind}_{name}"


CATALOGUE: tuple[Feature, ...] = ACCOUNT_FEATURES + tuple(
    Feature(risk_name(kind, name), unit, meaning.format(kind=kind), sentence.format(kind=kind))
    for kind in RISK_KINDS
    for name, unit, meaning, sentence in _RISK
)
"""Order is the order of columns. A model names its features, and the digest of their definitions."""

INDEX: dict[str, int] = {feature.name: column for column, feature in enumerate(CATALOGUE)}
"""Column of each feature by name."""


def feature_set_digest(names: tuple[str, ...]) -> str:
    """Twelve hex digits of SHA-256 over the names, units and meanings of a model's features: a redefinition changes it."""
    text = "\n".join(f"{f.name}\t{f.unit}\t{f.meaning}" for f in (CATALOGUE[INDEX[name]] for name in names))
    return sha256(text.encode()).hexdigest()[:12]
