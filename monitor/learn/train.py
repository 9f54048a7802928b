"""From payments to an artifact: replay, split by time, fit on what came first, measure on what came later and on other sources."""

import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version as installed
from pathlib import Path

from monitor.learn.card import card
from monitor.learn.dataset import Dataset, replay
from monitor.learn.evaluate import Evaluation, evaluate
from monitor.learn.fit import Recipe, fit, golden_rows, scores_of
from monitor.learn.sources import Source
from monitor.money.exchange import ExchangeTable
from monitor.scoring.artifact import save_model
from monitor.scoring.model import Model
from monitor.state import layout

TRAINING_SHARE = 0.6
"""Of the stream's time; the rest is what the model is measured on."""

FITTED = "fit"
"""The phase that is over when `on_progress` hears of it; the others are the titles of sources being replayed."""

LIBRARIES = ("numpy", "scikit-learn", "numba")


@dataclass(frozen=True, slots=True)
class Trained:
    """A model and its figures, by what they were measured on."""

    model: Model
    evaluations: dict[str, Evaluation]
    directory: Path


def train(
    source: Source,
    recipe: Recipe,
    version: str,
    models_dir: Path,
    exchange: ExchangeTable,
    command: str,
    others: Sequence[Source] = (),
    on_progress: Callable[[str, int], None] = lambda _phase, _rows: None,
) -> Trained:
    """Train on the first `TRAINING_SHARE` of the source's time, measure on the rest and on that of `others`, and save. Raises `DatasetError`, `ArtifactError`.

    `on_progress` hears of each phase and the rows it has just done; `command` goes into the card.
    """

    def replayed(each: Source) -> tuple[Dataset, Dataset]:
        data = replay(each.slices(), exchange, recipe.features, lambda rows: on_progress(each.title, rows))
        return data.split(_split_ms(each))

    training, later = replayed(source)
    model = fit(training, recipe, version)
    on_progress(FITTED, len(training))
    evaluations = {_part(source): evaluate(scores_of(model, later), model, later)}
    for other in others:
        _, later = replayed(other)
        evaluations[_part(other)] = evaluate(scores_of(model, later), model, later)
    about = {
        "training": _training(source, training, recipe),
        "exchange": {"version": exchange.version, "digest": exchange.digest},
        "layout_version": layout.VERSION,
        "libraries": {"python": platform.python_version()} | {name: installed(name) for name in LIBRARIES},
        "metrics": {title: asdict(figures) for title, figures in evaluations.items()},
    }
    directory = save_model(
        models_dir, version, model, golden_rows(model, training), about, card(model, command, source.title, evaluations)
    )
    return Trained(model, evaluations, directory)


def _split_ms(source: Source) -> int:
    return source.first_ms + int((source.end_ms - source.first_ms) * TRAINING_SHARE)


def _part(source: Source) -> str:
    return f"the later {1 - TRAINING_SHARE:.0%} of {source.title}"


def _training(source: Source, training: Dataset, recipe: Recipe) -> dict[str, object]:
    return source.about | {
        "from_ms": source.first_ms,
        "to_ms": _split_ms(source),
        "rows": len(training),
        "duplicates": training.duplicates,
        "rejected": dict(training.rejected),
        "data_sha256": training.digest,
        "trees": recipe.trees,
        "samples": recipe.samples,
        "seed": recipe.seed,
        "thresholds_by": f"quantiles of the training scores: review {recipe.review_rate}, block {recipe.block_rate}",
    }
