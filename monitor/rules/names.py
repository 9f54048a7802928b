"""What a rule can name: the transaction's fields, every feature of the catalogue, the score, and its time of day.

Each name has a kind, which says what it can be compared and combined with: money with money, time with time, a word with words of its own list.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from monitor.features.catalogue import ACCOUNT_FEATURES, CATALOGUE, INDEX, RISK_NAMES
from monitor.wire.columns import CHANNELS, DIRECTIONS


class Kind(Enum):
    """What a value is. The value is what an error message calls it."""

    NUMBER = "a plain number"
    MONEY = "money"
    TIME = "a length of time"
    TRUTH = "a truth"
    TEXT = "a text"
    SYMBOL = "one of a few words"


@dataclass(frozen=True, slots=True)
class Named:
    """A name: its kind, the unit of its values, what it means; `symbols`: the words it can be. `lacking`: it may be unknown for a transaction."""

    kind: Kind
    unit: str
    meaning: str
    symbols: tuple[str, ...] = ()
    lacking: bool = False


WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

TEXTS: Mapping[str, Named] = {
    "account_id": Named(Kind.TEXT, "", "The account."),
    "merchant_id": Named(Kind.TEXT, "", "The merchant.", lacking=True),
    "merchant_category": Named(Kind.TEXT, "", "The merchant's category (ISO 18245).", lacking=True),
    "country": Named(Kind.TEXT, "", "Where the payment was made (ISO 3166, two letters).", lacking=True),
    "device_id": Named(Kind.TEXT, "", "The device.", lacking=True),
    "ip": Named(Kind.TEXT, "", "The address it came from.", lacking=True),
    "currency": Named(Kind.TEXT, "", "The currency it was made in (ISO 4217)."),
}
"""Compared by a keyed 64-bit hash: equal texts always are, different ones but for one pair in 2^64."""

SYMBOLS: Mapping[str, Named] = {
    "channel": Named(Kind.SYMBOL, "", "The payment rail.", CHANNELS),
    "direction": Named(Kind.SYMBOL, "", "Money out or in.", DIRECTIONS),
    "weekday": Named(Kind.SYMBOL, "", "The day of the week of event_time, in UTC.", WEEKDAYS),
}

MOMENTS: Mapping[str, Named] = {
    "hour": Named(Kind.NUMBER, "h", "The hour of the day of event_time, 0 to 23, in UTC."),
    "time_of_day": Named(Kind.TIME, "s", "Time since midnight of event_time, in UTC."),
}

SCORE = "anomaly_score"

EVENTS = "events_total"
"""How much history an account has."""

SINCE_LAST = "time_since_last"
"""Unknown for an account's first payment, where the feature is -1."""

_KINDS = {"base minor": Kind.MONEY, "s": Kind.TIME, "days": Kind.TIME, "0 or 1": Kind.TRUTH}

FEATURES: Mapping[str, Named] = {
    feature.name: Named(
        _KINDS.get(feature.unit, Kind.NUMBER),
        feature.unit,
        feature.meaning,
        lacking=column >= len(ACCOUNT_FEATURES) or feature.name == SINCE_LAST,
    )
    for column, feature in enumerate(CATALOGUE)
}
"""Money in the base currency. Risk is unknown where no snapshot of labels is in force."""

NAMES: Mapping[str, Named] = {
    **TEXTS,
    **SYMBOLS,
    **MOMENTS,
    SCORE: Named(Kind.NUMBER, "", "How strange the model finds it, 0 to 1; unknown without a model.", lacking=True),
    **FEATURES,
}

BRACES = re.compile(r"\{([^{}]*)\}")
"""A name in a text."""

SECONDS = {"s": 1.0, "days": 86_400.0}
"""Of one unit of a feature that is a length of time."""


def risk_kinds_of(names: Iterable[str]) -> tuple[int, ...]:
    """The kinds (places in `RISK_KINDS`) whose risk some of the names are."""
    columns = [INDEX.get(name, -1) - len(ACCOUNT_FEATURES) for name in names]
    return tuple(sorted({column // len(RISK_NAMES) for column in columns if column >= 0}))


def names_in_text(text: str) -> list[str]:
    """What stands in braces."""
    return BRACES.findall(text)
