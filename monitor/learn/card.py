"""The model's card: what it is, what it is for, how good it was, for people."""

from monitor.features.catalogue import CATALOGUE, INDEX
from monitor.learn.evaluate import Evaluation
from monitor.scoring.model import Model


def card(model: Model, command: str, source: str, evaluations: dict[str, Evaluation]) -> str:
    """Markdown. `command` made the model, from `source`; `evaluations` by what they were measured on."""
    forest = model.forest
    return "\n".join(
        [
            f"# Model {model.version}",
            "",
            f"An isolation forest of {forest.trees} trees, depth {forest.depth}, over {len(model.parts[0].features)} features"
            f"{_beside(model)} (`{model.feature_set}`). It gives each transaction a score from 0 to 1; higher is stranger. "
            f"Review from {model.review_threshold:.6f}, block from {model.block_threshold:.6f}.",
            "",
            "Made by",
            "",
            f"    {command}",
            "",
            f"It learned from {source}, {_LABELS[len(model.parts) > 1]}. Train on your own "
            "transactions before you rely on it. It does not see who the merchant is, nor links between accounts.",
            "",
            "## Features",
            "",
            *_features(model),
            "",
            *[line for title, figures in evaluations.items() for line in _figures(title, figures)],
        ]
    )


_LABELS = ("without labels: it knows what is usual there, not what fraud is", "and from the labels known at its end")


def _beside(model: Model) -> str:
    """What stands beside the forest, in words."""
    return "".join(f", and beside it the {part.name} over {len(part.features)}" for part in model.parts[1:])


def _features(model: Model) -> list[str]:
    rows = [CATALOGUE[INDEX[name]] for name in model.features]
    return [
        "| feature | unit | meaning |",
        "| --- | --- | --- |",
        *(f"| {f.name} | {f.unit} | {f.meaning} |" for f in rows),
    ]


def _figures(title: str, figures: Evaluation) -> list[str]:
    thresholds = [("review", figures.review), ("block", figures.block)]
    return [
        f"## Measured on {title}",
        "",
        f"{figures.transactions:,} transactions, {figures.fraud:,} of them fraud. ROC AUC {number(figures.roc_auc)}, "
        f"average precision {number(figures.average_precision)}. "
        f"Incidents with at least one alert: {figures.incidents_caught} of {figures.incidents}.",
        "",
        "| from | alerts | false positives | precision | recall |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {name} | {percent(at.alert_rate)} | {percent(at.false_positive_rate)} | {percent(at.precision)} | {percent(at.recall)} |"
            for name, at in thresholds
        ),
        "",
        "| scenario | transactions | recall | incidents caught |",
        "| --- | --- | --- | --- |",
        *(
            f"| {each.name} | {each.transactions} | {percent(each.recall)} | {each.incidents_caught} of {each.incidents} |"
            for each in figures.scenarios
        ),
        "",
    ]


def number(value: float | None) -> str:
    """Three decimals, or a dash where there is nothing to say."""
    return "-" if value is None else f"{value:.3f}"


def percent(share: float | None) -> str:
    """Per cent with two decimals below one, else one."""
    if share is None:
        return "-"
    return f"{100 * share:.2f} %" if share < 0.01 else f"{100 * share:.1f} %"
