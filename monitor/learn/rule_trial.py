"""What rules would have done with payments of the past: the very rules, model and snapshots of risk that serve, over the very features."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.decide.policy import NEVER, OUTCOMES, combined, outcomes
from monitor.errors import DatasetError
from monitor.learn.alert_budget import Budget, Unclaimed
from monitor.learn.payments import Payments
from monitor.learn.play import HASH_KEY, Played, play
from monitor.money.exchange import ExchangeTable
from monitor.risk.book import Book, with_risk
from monitor.rules.ruled import Ruled, ruled
from monitor.rules.ruleset import Count, Engine, RuleSet, State
from monitor.scoring.model import Model
from monitor.state.layout import DAY_MS
from monitor.wire.hashing import hash_bytes


@dataclass(frozen=True, slots=True)
class RuleFigures:
    """Of one rule that is not paused: `hits` transactions, of which `fraud`; `alone`: that no other active rule and not the model asked
    for; `by_band`: hits by reason code. `precision` and `recall` are None where nothing divides.
    """

    rule_id: str
    state: str
    hits: int
    fraud: int
    a_day: float
    precision: float | None
    recall: float | None
    alone: int
    also_model: int
    not_applicable: int
    insufficient_history: int
    by_band: dict[str, int]


@dataclass(frozen=True, slots=True)
class Trial:
    """`outcomes`: transactions by what is done; `model_alone`: the same without rules; `overlap[i][j]`: transactions for which rules i and j
    held, in the order of `rules`. `fraud_alerted`: fraud whose outcome is not approve. `budget`: None where no alerts a day were asked for.
    """

    version: str
    transactions: int
    fraud: int
    days: float
    outcomes: dict[str, int]
    model_alone: dict[str, int]
    fraud_alerted: int
    rules: tuple[RuleFigures, ...]
    overlap: tuple[tuple[int, ...], ...]
    budget: Budget | None = None

    def as_json(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def trial(
    rules: RuleSet,
    slices: Iterable[Payments],
    exchange: ExchangeTable,
    model: Model | None,
    book: Book,
    on_progress: Callable[[int], None] = lambda _rows: None,
    alerts_a_day: float | None = None,
) -> Trial:
    """Over all payments of `slices` that can be scored. Raises `DatasetError` when there are none, or `alerts_a_day` of no model are asked for."""
    judge = Judge(rules, model, book)
    tally, unclaimed = _Tally(judge.engine), Unclaimed()
    if alerts_a_day is not None and model is None:
        raise DatasetError(f"alerts a day {alerts_a_day:g}: there is no model whose threshold could keep them")
    for played in play(slices, exchange):
        if played.scored.size:
            decided = judge.decided(played)
            tally.add(played, decided)
            if alerts_a_day is not None:
                rows = played.scored
                unclaimed.add(decided.scores[rows], decided.ruled.levels[rows], played.part.fraud[rows])
        on_progress(len(played.part))
    if not tally.transactions:
        raise DatasetError("transactions: none that can be scored; name other files, or another time")
    found = tally.trial(rules)
    if alerts_a_day is None or model is None:
        return found
    return replace(found, budget=unclaimed.budget(alerts_a_day, found.days, model))


class Decided(NamedTuple):
    """Of all `n` payments of a slice: `outcomes` uint8[n], what the model alone asks for (`modelled` uint8[n]), what rules held, `scores` float64[n] (NaN: none)."""

    outcomes: NDArray[np.uint8]
    modelled: NDArray[np.uint8]
    ruled: Ruled
    scores: NDArray[np.float64]


class Judge:
    """Decides payments as serving would: `model` and `rules` over features and the risk of `book`."""

    def __init__(self, rules: RuleSet, model: Model | None, book: Book) -> None:
        self.engine = Engine(rules, lambda text: hash_bytes(text.encode(), HASH_KEY))
        self._model, self._book = model, book
        self._kinds = tuple(sorted({*self.engine.risk_kinds, *(model.risk_kinds if model else ())}))

    def decided(self, played: Played) -> Decided:
        """Of all payments of the slice; those not scored are approved."""
        n, columns = len(played.part), played.part.columns
        features = with_risk(played.folded.features, columns, self._kinds, self._book)
        scored = np.zeros(n, np.bool_)
        scored[played.scored] = True
        scores = np.full(n, np.nan)
        if self._model is not None:
            scores[played.scored] = self._model.score(features[played.scored])
        modelled = outcomes(scores, self._model or NEVER)
        found = ruled(self.engine, columns, features, scores, scored)
        return Decided(combined(modelled, found.levels), modelled, found, scores)


class _Tally:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        rules = engine.ruleset.rules
        self.transactions, self._fraud, self._fraud_alerted = 0, 0, 0
        self._first_ms, self._last_ms = np.iinfo(np.int64).max, 0
        self._done, self._modelled = np.zeros(3, np.int64), np.zeros(3, np.int64)
        size = len(rules)
        self._hits, self._caught, self._alone, self._also = (np.zeros(size, np.int64) for _ in range(4))
        self._overlap = np.zeros((size, size), np.int64)
        self._bands = [np.zeros(len(rule.bands), np.int64) for rule in rules]
        self._counts = [Count(0, 0, 0)] * size

    def add(self, played: Played, decided: Decided) -> None:
        part, scored = played.part, played.scored
        done, modelled, found, _ = decided
        fraud, times = part.fraud, part.event_time[scored]
        self.transactions += scored.size
        self._fraud += int(fraud[scored].sum())
        self._fraud_alerted += int((fraud & (done != 0))[scored].sum())
        self._first_ms, self._last_ms = min(self._first_ms, int(times.min())), max(self._last_ms, int(times.max()))
        self._done += np.bincount(done[scored], minlength=3)
        self._modelled += np.bincount(modelled[scored], minlength=3)
        size = len(self._hits)
        held = np.zeros((len(part), size), np.bool_)
        held[found.hits.rows, found.hits.rules] = True
        active = np.array([rule.state is State.ACTIVE for rule in self._engine.ruleset.rules], np.bool_)
        asking = held[:, active].sum(axis=1)[:, None] + (modelled != 0)[:, None]
        self._hits += held.sum(axis=0)
        self._caught += held[fraud].sum(axis=0)
        self._also += held[modelled != 0].sum(axis=0)
        self._alone += (held & (asking - active[None, :] <= 0)).sum(axis=0)
        counted = held[held.any(axis=1)].astype(np.float64)  # whole numbers below 2^53, and BLAS for them
        self._overlap += (counted.T @ counted).astype(np.int64)
        for place, band in zip(found.hits.rules.tolist(), found.hits.bands.tolist(), strict=True):
            self._bands[place][band] += 1
        for place, count in found.hits.counts.items():
            self._counts[place] = Count(*(a + b for a, b in zip(self._counts[place], count, strict=True)))

    def trial(self, rules: RuleSet) -> Trial:
        days = max((self._last_ms - self._first_ms) / DAY_MS, 1 / 24)
        figures = [
            self._figures(place, days) for place, rule in enumerate(rules.rules) if rule.state is not State.PAUSED
        ]
        looked = [place for place, rule in enumerate(rules.rules) if rule.state is not State.PAUSED]
        return Trial(
            rules.version,
            self.transactions,
            self._fraud,
            round(days, 3),
            _named(self._done),
            _named(self._modelled),
            self._fraud_alerted,
            tuple(figures),
            tuple(tuple(self._overlap[place, looked].tolist()) for place in looked),
        )

    def _figures(self, place: int, days: float) -> RuleFigures:
        rule, hits, fraud = self._engine.ruleset.rules[place], int(self._hits[place]), int(self._caught[place])
        return RuleFigures(
            rule_id=rule.rule_id,
            state=rule.state.name.lower(),
            hits=hits,
            fraud=fraud,
            a_day=round(hits / days, 3),
            precision=fraud / hits if hits and self._fraud else None,
            recall=fraud / self._fraud if self._fraud else None,
            alone=int(self._alone[place]),
            also_model=int(self._also[place]),
            not_applicable=self._counts[place].not_applicable,
            insufficient_history=self._counts[place].insufficient_history,
            by_band={band.reason_code: int(count) for band, count in zip(rule.bands, self._bands[place], strict=True)},
        )


def _named(counts: Sequence[int] | NDArray[np.int64]) -> dict[str, int]:
    return {name: int(count) for name, count in zip(OUTCOMES, counts, strict=True)}
