"""Figures of many folds and seeds as one line a method: for the terminal, the page and the JSON."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from monitor.learn.backtest import Interval, Tried, by_method, interval
from monitor.learn.quality import CARDS_A_DAY, Quality


@dataclass(frozen=True, slots=True)
class Column:
    """A figure: its `title`, how it is read off a `Quality` (None: not there), and how it is written. `about` explains it in a sentence."""

    title: str
    of: Callable[[Quality], float | None]
    form: str
    about: str

    def text(self, found: Interval | None) -> str:
        """`0.612 ± 0.008`, or a dash."""
        if found is None:
            return "-"
        if not found.half_width:
            return self.form.format(found.mean)
        return f"{self.form.format(found.mean)} ± {self.form.format(found.half_width)}"


def share_saved(figures: Quality) -> float | None:
    """Of the money in fraud, what was alerted; None without any."""
    whole = figures.saved + figures.lost
    return figures.saved / whole if whole else None


COLUMNS = (
    Column(
        "ROC AUC", lambda each: each.roc_auc, "{:.3f}", "the chance that a fraud scores higher than a genuine payment"
    ),
    Column("average precision", lambda each: each.average_precision, "{:.3f}", "the mean precision over all recalls"),
    Column(
        f"card precision@{CARDS_A_DAY}",
        lambda each: each.card_precision,
        "{:.3f}",
        f"of the {CARDS_A_DAY} accounts that score highest on a day, the share that had fraud that day",
    ),
    Column(
        "precision",
        lambda each: each.precision,
        "{:.1%}",
        "of the alerts, the share that is fraud, at the alert budget",
    ),
    Column(
        "recall", lambda each: each.recall, "{:.1%}", "of the fraud, the share that is alerted, at the alert budget"
    ),
    Column("alerts a day", lambda each: each.alerts_a_day, "{:,.0f}", "what the alert budget comes to"),
    Column("value saved", share_saved, "{:.1%}", "of the money in fraud, the share that is alerted"),
)


def lines(found: Sequence[Tried]) -> list[tuple[str, list[Interval | None]]]:
    """Of each method, a value a column of `COLUMNS`."""
    return [
        (method, [interval([column.of(each) for each in mine]) for column in COLUMNS])
        for method, mine in by_method(found)
    ]


def groups(found: Sequence[Tried], which: str) -> dict[str, dict[str, float | None]]:
    """Recall at the budget of each `rails` or `scenarios` (which), by name and method, over all folds and seeds."""
    table: dict[str, dict[str, list[int]]] = {}
    for each in found:
        for group in getattr(each.quality, which):
            counted = table.setdefault(group.name, {}).setdefault(each.method, [0, 0])
            counted[0] += group.caught
            counted[1] += group.fraud
    return {
        name: {method: (caught / fraud if fraud else None) for method, (caught, fraud) in methods.items()}
        for name, methods in table.items()
    }
