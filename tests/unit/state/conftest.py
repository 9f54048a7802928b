"""A slow, obvious model of the account state over lists of exact events, and a driver that puts events through the kernel.

The model shares no code with the kernel: its windows are list comprehensions with the tile edges of docs/state.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pytest

from monitor.state.accounts import Accounts
from monitor.state.kernels import Folded, fold
from monitor.wire.columns import Columns
from monitor.wire.records import Spans

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
IDLE_TTL = 10 * DAY
LIMIT = 2**57
FAMILIES = {"1h": (5 * MINUTE, 12), "24h": (HOUR, 24), "7d": (6 * HOUR, 28)}
CREDITS = (4 * HOUR, 6)


class Event(NamedTuple):
    """A transaction as the state sees it; merchant and device are 64-bit hashes, 0 for none."""

    t: int = 1_790_000_000_000
    amount: int = 1000
    credit: bool = False
    merchant: int = 0
    device: int = 0
    country: int = 0
    key: int = 1
    digest: int = 7
    account: bytes = b"a"
    admitted: bool = True


class Seen(NamedTuple):
    """What became of an event: features None where it was not scored."""

    disposition: str
    flags: set[str]
    features: dict[str, float] | None


def high(digest: int) -> int:
    return max(digest >> 32, 1) if digest else 0


class Tiled:
    """The events a family of tiles has taken in: those whose tile was still in its ring."""

    def __init__(self, size: int, length: int) -> None:
        self.size, self.length = size, length
        self.events: list[Event] = []

    def head(self) -> int:
        return max((e.t // self.size for e in self.events), default=0)

    def takes(self, t: int) -> bool:
        return t // self.size > self.head() - self.length

    def window(self, t: int, late: bool) -> list[Event]:
        tile, lost = t // self.size, self.head() - self.length
        newest = tile - 1 if late else tile
        return [e for e in self.events if tile - self.length < e.t // self.size <= newest and e.t // self.size > lost]

    def has_room(self, event: Event) -> bool:
        same_tile = sum(e.amount for e in self.events if e.t // self.size == event.t // self.size)
        return not self.takes(event.t) or same_tile + event.amount <= LIMIT


@dataclass
class Past:
    """Of one account, since it was first seen."""

    order: list[Event] = field(default_factory=list)  # folded, by arrival
    scored: list[Event] = field(default_factory=list)  # also those that came too late
    debits: dict[str, Tiled] = field(default_factory=lambda: {w: Tiled(*family) for w, family in FAMILIES.items()})
    credits: Tiled = field(default_factory=lambda: Tiled(*CREDITS))
    surprises: Tiled = field(default_factory=lambda: Tiled(DAY, 14))
    paces: Tiled = field(default_factory=lambda: Tiled(DAY, 14))
    before: dict[int, int] = field(
        default_factory=dict
    )  # debits in the five minutes before a debit, by its place in `paces`

    @property
    def newest(self) -> float:
        return max((e.t for e in self.order), default=-math.inf)

    @property
    def ring(self) -> list[Event]:
        return self.scored[-16:]

    @property
    def floor(self) -> float:
        return max((e.t for e in self.scored[:-16]), default=-math.inf)

    def mean_and_deviation(self) -> tuple[float, float]:
        mean, variance = 0.0, 0.0
        for n, debit in enumerate(e for e in self.order if not e.credit):
            x = float(debit.amount)
            if n == 0:
                mean, variance = x, x * x
                continue
            if n >= 8:
                x = min(x, mean + 3.0 * max(math.sqrt(variance), mean * 0.1, 1.0))
            weight = max(0.05, 1.0 / (n + 1.0))
            off = x - mean
            mean += weight * off
            variance = (1.0 - weight) * (variance + weight * off * off)
        return mean, max(math.sqrt(variance), mean * 0.1, 1.0)

    def mean_gap(self) -> float:
        mean, newest = 0.0, None
        for n, event in enumerate(self.order):
            if newest is not None and event.t >= newest:
                mean += max(0.05, 1.0 / n) * (float(event.t - newest) - mean)
            newest = event.t if newest is None else max(newest, event.t)
        return mean

    def used(self, name: str, most: int) -> list[int]:
        """Distinct values, most recently used last."""
        values: list[int] = []
        for event in self.order:
            value = high(getattr(event, name)) if name != "country" else event.country
            if value:
                values = [v for v in values if v != value] + [value]
                values = values[-most:]
        return values

    def last_country(self) -> int:
        country, newest = 0, -math.inf
        for event in self.order:
            if event.country and event.t >= newest:
                country = event.country
            newest = max(newest, event.t)
        return country


class Model:
    """The reference for one partition."""

    def __init__(self) -> None:
        self.pasts: dict[bytes, Past] = {}
        self.watermark = -math.inf

    def meet(self, event: Event) -> Seen:
        if not event.admitted:
            return Seen("REJECTED", set(), None)
        flags = set()
        past = self.pasts.setdefault(event.account, Past())
        if past.order and self.watermark - past.newest > 2 * IDLE_TTL:
            past = self.pasts[event.account] = Past()
        if past.order and event.t - past.newest > IDLE_TTL:
            past = self.pasts[event.account] = Past()
            flags.add("EXPIRED")
        known = {e.digest for e in past.ring if e.key == event.key}
        if event.digest in known:
            return Seen("DUPLICATE", flags, None)
        late = event.t < past.newest
        too_late = late and event.t <= past.floor
        families = [past.credits] if event.credit else list(past.debits.values())
        if event.amount > LIMIT or (not too_late and not all(f.has_room(event) for f in families)):
            return Seen("REJECTED", flags, None)
        features = describe(past, event, late)
        flags |= {"LATE"} if late else set()
        flags |= {"LATE_NOT_FOLDED"} if too_late else set()
        flags |= {"CONFLICT"} if known else set()
        flags |= {"FIRST"} if not past.order else set()
        flags |= {"RING_SATURATED"} if features["ring_saturated"] else set()
        if not too_late:
            learn(past, event, families, features)
        past.scored.append(event)
        self.watermark = max(self.watermark, event.t)
        return Seen("SCORED", flags, features)


def learn(past: Past, event: Event, families: Sequence[Tiled], features: dict[str, float]) -> None:
    for family in families:
        if family.takes(event.t):
            family.events.append(event)
    if features["amount_z"] > 3.0 and past.surprises.takes(event.t):
        past.surprises.events.append(event)
    if not event.credit and past.paces.takes(event.t):
        past.before[len(past.paces.events)] = int(features["count_5m"])
        past.paces.events.append(event)
    past.order.append(event)


def describe(past: Past, event: Event, late: bool) -> dict[str, float]:
    t, amount = event.t, float(event.amount)
    row: dict[str, float] = {"amount": amount, "is_credit": event.credit, "events_total": len(past.order)}
    for minutes in (1, 5, 15):
        recent = [e for e in past.ring if not e.credit and t - minutes * MINUTE <= e.t < t]
        row[f"count_{minutes}m"] = len(recent)
        if minutes == 5:
            row["sum_5m"] = sum(e.amount for e in recent)
            row["mean_5m"] = float(row["sum_5m"]) / len(recent) if recent else 0
            row["max_5m"] = max((e.amount for e in recent), default=0)
    mean, deviation = past.mean_and_deviation()
    row["small_count_15m"] = sum(float(e.amount) * 10.0 < mean for e in recent)
    row["ring_saturated"] = t - 15 * MINUTE <= past.floor
    for window, family in past.debits.items():
        events = family.window(t, late)
        total, count = sum(e.amount for e in events), len(events)
        row[f"count_{window}"], row[f"sum_{window}"] = count, total
        row[f"mean_{window}"] = float(total) / count if count else 0
        row[f"max_{window}"] = max((float(np.array(e.amount).astype(np.float32)) for e in events), default=0)
    row["usual_count_1h"] = row["count_7d"] / 168
    row["pace_ratio"] = (row["count_1h"] + 1) / (row["usual_count_1h"] + 1)
    day = past.debits["24h"].window(t, late)
    bits = len({high(e.merchant) >> 27 for e in day if e.merchant})
    row["distinct_merchants_24h"] = round(32 * math.log(32 / max(32 - bits, 1)))
    money_in = past.credits.window(t, late)
    row["credit_count_24h"], row["credit_sum_24h"] = len(money_in), sum(e.amount for e in money_in)
    row["mean_amount"], row["mean_gap"] = mean, past.mean_gap() / 1000
    n = sum(not e.credit for e in past.order)
    row["amount_z"] = 0 if event.credit else (amount - mean) / deviation * (n / (n + 3))
    row["amount_ratio"] = 0 if event.credit else amount / (mean + 1) * (n / (n + 3))
    row["amount_over_max_7d"] = amount / (row["max_7d"] + 1) if not event.credit and row["count_7d"] else 0
    row["amount_share_24h"] = amount / (float(row["sum_24h"]) + amount) if not event.credit and amount else 0
    drains = not event.credit and money_in
    row["drain_ratio_24h"] = (
        min((float(row["sum_24h"]) + amount) / (float(row["credit_sum_24h"]) + 1), 100) if drains else 0
    )
    per_day = [sum(e.t // DAY == d for e in past.surprises.events) for d in {e.t // DAY for e in past.surprises.events}]
    assert max(per_day, default=0) <= 255
    row["surprises_14d"] = len(past.surprises.window(t, late))
    kept = range(max(t // DAY, past.paces.head()) - 13, t // DAY)
    days = [e.t // DAY for e in past.paces.events]
    row["busiest_5m"] = max((past.before[i] for i, day in enumerate(days) if day in kept), default=0)
    describe_habits(past, event, late, row)
    return {name: float(value) for name, value in row.items()}


def describe_habits(past: Past, event: Event, late: bool, row: dict[str, float]) -> None:
    first = not past.order
    gap = -1.0 if first else 0.0 if late else float(event.t - past.newest)
    row["time_since_last"] = -1 if first else gap / 1000
    row["account_age"] = 0 if first else max(event.t - past.order[0].t, 0) / 1000
    for name, most in (("merchant", 24), ("device", 8), ("country", 8)):
        value = high(getattr(event, name)) if name != "country" else event.country
        used = past.used(name, most)
        row[f"new_{name}"] = bool(value and used and value not in used)
    last = past.last_country()
    changed = event.country and last and event.country != last and not late
    row["country_change_speed"] = float(HOUR) / max(gap, MINUTE) if changed else 0
    hours = [sum((e.t // HOUR) % 24 == hour for e in past.order) for hour in range(24)]
    share = hours[(event.t // HOUR) % 24] / max(hours) if not first else 0
    row["hour_rarity"] = 0 if first else (1 - share) * (len(past.order) / (len(past.order) + 24))


class Driver:
    """Puts events through `Accounts` and `fold`, offsets counting from 0."""

    def __init__(self) -> None:
        self.accounts = Accounts()
        self.next_offset = 0
        self.watermark_ms = 0

    def fold(self, events: Sequence[Event], offsets: Sequence[int] | None = None) -> Folded:
        n = len(events)
        if offsets is None:
            offsets = range(self.next_offset, self.next_offset + n)
        self.next_offset = offsets[-1] + 1
        slots = self.accounts.slots(Spans.of([e.account for e in events]), np.array([e.admitted for e in events], bool))
        longs, hashes = np.zeros((4, n), np.int64), np.zeros((9, n), np.uint64)
        longs[0] = [e.t for e in events]
        longs[2] = [e.credit for e in events]
        hashes[3], hashes[6] = [e.merchant for e in events], [e.device for e in events]
        reason = np.array([0 if e.admitted else 44 for e in events], np.uint8)
        nothing = np.zeros((9, n), np.int64)
        columns = Columns(
            np.zeros(0, np.uint8), longs, nothing, nothing.astype(np.int32), hashes, reason, np.zeros(n, np.int32)
        )
        folded = fold(
            self.accounts.records,
            slots,
            np.array(offsets, np.int64),
            columns,
            reason=reason,
            base_amount=np.array([e.amount for e in events], np.int64),
            country=np.array([e.country for e in events], np.uint16),
            key_hash=np.array([e.key for e in events], np.uint64),
            digest=np.array([e.digest for e in events], np.uint32),
            idle_ttl_ms=IDLE_TTL,
            watermark_ms=self.watermark_ms,
        )
        self.watermark_ms = folded.watermark_ms
        return folded

    def one(self, event: Event) -> Folded:
        return self.fold([event])

    def value(self, account: bytes = b"a") -> bytes:
        """The account's changelog value."""
        return self.accounts.values(self.accounts.slots(Spans.of([account]), np.array([True])))[0]


@pytest.fixture(scope="session")
def event() -> type[Event]:
    return Event


@pytest.fixture(scope="session")
def make_driver() -> type[Driver]:
    return Driver


@pytest.fixture(scope="session")
def make_model() -> type[Model]:
    return Model


@pytest.fixture
def driver() -> Driver:
    return Driver()
