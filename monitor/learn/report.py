"""Pages for people: one HTML file, tables and plots inside it, nothing fetched."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from monitor.learn import plots
from monitor.learn.backtest import Interval, Tried, by_method
from monitor.learn.duel import Disagreement, Duel
from monitor.learn.tabulate import COLUMNS, groups, lines

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem; border-bottom: 1px solid #ddd; text-align: right; }
th:first-child, td:first-child { text-align: left; }
code { background: #f4f4f4; padding: .1rem .3rem; } svg { max-width: 100%; height: auto; } .quiet { color: #666; }
"""


def page(title: str, *sections: str) -> str:
    """The whole file: `sections` are HTML."""
    body = "\n".join(sections)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head>\n<body><h1>{escape(title)}</h1>\n{body}\n</body></html>\n"
    )


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table; cells are escaped."""
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    lines_of = ("".join(f"<td>{escape(str(cell))}</td>" for cell in row) for row in rows)
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{each}</tr>' for each in lines_of)}</table>"


def paragraph(text: str) -> str:
    """A paragraph of plain text."""
    return f"<p>{escape(text)}</p>"


def definitions(entries: Mapping[str, object]) -> str:
    """What a page rests on: names and values."""
    return table(("", ""), [(name, value) for name, value in entries.items()])


def backtest_page(found: Sequence[Tried], about: Mapping[str, Any]) -> str:
    """The page of a backtest; `about` is what its JSON says of it: command, payments, digest, folds."""
    methods = list(by_method(found))
    curves = {method: np.mean([each.curve for each in found if each.method == method], axis=0) for method, _ in methods}
    rows = [
        (method, *(column.text(value) for column, value in zip(COLUMNS, values, strict=True)))
        for method, values in lines(found)
    ]
    cut = [
        (number, each["train_to"], each["test_from"], each["test_to"]) for number, each in enumerate(about["folds"], 1)
    ]
    return page(
        "Backtest",
        paragraph(
            "Each method was fitted at moments of the past, with the labels known then, and judged by what came after the time that "
            "labels take. Accounts whose fraud was known before a day left its test. ± is the 95 % interval over folds and seeds."
        ),
        table(("", *(column.title for column in COLUMNS)), rows),
        f"<p class=quiet>{'; '.join(escape(f'{each.title}: {each.about}') for each in COLUMNS)}.</p>",
        "<h2>Precision and recall</h2>",
        plots.precision_recall(curves),
        "<h2>Average precision</h2>",
        plots.intervals(_intervals(found), "average precision"),
        *(_recalls(found, which) for which in ("rails", "scenarios")),
        "<h2>What it rests on</h2>",
        definitions(
            {"command": about["command"], "payments": f"{about['payments']:,}", "SHA-256": about["data_sha256"]}
        ),
        table(("fold", "trained on what is before", "tested from", "to"), cut),
    )


def _intervals(found: Sequence[Tried]) -> dict[str, tuple[float, float]]:
    place = [column.title for column in COLUMNS].index("average precision")
    values: dict[str, Interval | None] = {method: row[place] for method, row in lines(found)}
    return {method: (each.mean, each.half_width) for method, each in values.items() if each is not None}


def _recalls(found: Sequence[Tried], which: str) -> str:
    """Recall by rail, or by kind of fraud, as a section; empty without any."""
    by_name = groups(found, which)
    if not by_name:
        return ""
    methods = [method for method, _ in by_method(found)]
    rows = [
        (name, *("-" if recalls.get(each) is None else f"{recalls[each]:.1%}" for each in methods))
        for name, recalls in by_name.items()
    ]
    return f"<h2>Recall by {which[:-1]}, at the alert budget</h2>" + table(("", *methods), rows)


def evaluation_page(duel: Duel, names: Mapping[int, tuple[str, str]]) -> str:
    """One model's page, or two models' on one: figures, curves, scores, and the payments they decide otherwise; `names` of those shown."""
    challenger, fraud = duel.challenger, duel.data.fraud
    values = [
        (
            each.model.version,
            *("-" if (value := column.of(each.quality)) is None else column.form.format(value) for column in COLUMNS),
        )
        for each in duel.both
    ]
    verdict = "; ".join(duel.failed) or "nothing speaks against it"
    sections = [
        paragraph(
            f"{challenger.model.version} on {len(duel.data):,} payments, {int(fraud.sum()):,} of them fraud: {verdict}."
        ),
        table(("at the alert budget", *(column.title for column in COLUMNS)), values),
        f"<p class=quiet>{'; '.join(escape(f'{each.title}: {each.about}') for each in COLUMNS)}.</p>",
    ]
    curves = {each.model.version: np.array(each.curve) for each in duel.both if each.curve}
    if curves:
        sections += ["<h2>Precision and recall</h2>", plots.precision_recall(curves)]
    scores = challenger.scores
    title = f"score of {challenger.model.version}"
    sections += ["<h2>Scores</h2>", plots.two_histograms(scores[~fraud], scores[fraud], ("genuine", "fraud"), title)]
    if duel.champion is not None:
        heads = ("transaction", "account", "fraud", "amount", "decided", "by the champion")
        sections += [
            f"<h2>{duel.differ:,} payments decided otherwise by {escape(duel.champion.model.version)}</h2>",
            table(heads, [_told(each, names) for each in duel.shown]),
        ]
    rests_on = definitions({"SHA-256 of the payments": duel.data.digest})
    return page(f"Model {challenger.model.version}", *sections, rests_on)


def _told(each: Disagreement, names: Mapping[int, tuple[str, str]]) -> tuple[str, ...]:
    return (
        *names[each.row],
        "yes" if each.fraud else "",
        f"{each.amount / 100:,.2f}",
        f"{each.outcome} ({each.score:.3f})",
        f"{each.champion_outcome} ({each.champion_score:.3f})",
    )
