"""From payments to an artifact: replay, split by time, fit on what came first, measure on what came later and on other sources."""

import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version as installed
from pathlib import Path

import numpy as np

from monitor.errors import DatasetError
from monitor.learn.card import card
from monitor.learn.dataset import EVERY_FEATURE, Dataset, replay
from monitor.learn.evaluate import Evaluation, evaluate
from monitor.learn.fit import Recipe, fit, golden_rows, scores_of
from monitor.learn.risk import with_risk
from monitor.learn.sources import Source
from monitor.money.exchange import ExchangeTable
from monitor.observe.drift import SCORE, Reference, reference_of
from monitor.scoring.artifact import save_model
from monitor.scoring.model import Model
from monitor.scoring.percentiles import percentiles_of
from monitor.state import layout
from monitor.state.layout import DAY_MS
from monitor.wire.columns import CHANNELS

TRAINING_SHARE = 0.6
"""Of the stream's time; the rest is what the model is measured on."""

FITTED = "fit"
"""The phase that is over when `on_progress` hears of it; the others are the titles of sources being replayed."""

MOST_COMPARED = 200_000
"""Training rows, about, that drift is measured against."""

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

    A model that uses labels is measured from `recipe.label_delay_ms` later on only: by then it could have been fitted.

    `on_progress` hears of each phase and the rows it has just done; `command` goes into the card.
    """

    def replayed(each: Source) -> tuple[Dataset, Dataset]:
        told = partial(on_progress, each.title)
        data = prepared(each, recipe.names, recipe.label_delay_ms, exchange, told)
        training, later = data.split(_split_ms(each))
        _, later = later.split(_split_ms(each) + (recipe.label_delay_ms if recipe.beside else 0))
        if not len(later):
            raise DatasetError(
                f"{each.title}: no payments later than the {recipe.label_delay_ms / DAY_MS:g} days that labels take after "
                f"the training's {TRAINING_SHARE:.0%} of its time; give more of them, or a shorter --label-delay"
            )
        return training, later

    training, later = replayed(source)
    model = fit(training, recipe, version, _split_ms(source) + (recipe.label_delay_ms if recipe.beside else 0))
    model = replace(
        model, percentiles=percentiles_of((name, training.matrix((name,))[:, 0]) for name in model.features)
    )
    on_progress(FITTED, len(training))
    evaluations = {_part(source): evaluate(scores_of(model, later), model, later)}
    for other in others:
        _, later = replayed(other)
        evaluations[_part(other)] = evaluate(scores_of(model, later), model, later)
    about = {
        "drift": drift_reference(model, training).entry(),
        "training": _training(source, training, recipe),
        "exchange": {"version": exchange.version, "digest": exchange.digest},
        "layout_version": layout.VERSION,
        "libraries": {"python": platform.python_version()} | {name: installed(name) for name in LIBRARIES},
        "metrics": {title: asdict(figures) for title, figures in evaluations.items()},
    }
    page = card(model, command, source.title, evaluations)
    directory = save_model(models_dir, model, golden_rows(model, training), about, page)
    return Trained(model, evaluations, directory)


def drift_reference(model: Model, training: Dataset) -> Reference:
    """What drift is measured against: an even sample of the training's rows, and their scores."""
    sample = training.rows(slice(None, None, max(1, len(training) // MOST_COMPARED)))
    rows = np.column_stack((sample.matrix(model.features), scores_of(model, sample)))
    return reference_of(rows.astype(np.float64), (*model.features, SCORE), sample.channel, CHANNELS)


def prepared(
    source: Source,
    names: tuple[str, ...],
    label_delay_ms: int,
    exchange: ExchangeTable,
    on_progress: Callable[[int], None] = lambda _rows: None,
) -> Dataset:
    """The source's payments with the features `names`, of accounts and of labels that take `label_delay_ms`. Raises `DatasetError`."""
    kept = tuple(name for name in names if name in EVERY_FEATURE)
    return with_risk(replay(source.slices(), exchange, kept, on_progress), names, label_delay_ms)


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
        "beside": list(recipe.beside),
        "label_delay_ms": recipe.label_delay_ms,
        "thresholds_by": f"quantiles of the training scores: review {recipe.review_rate}, block {recipe.block_rate}",
    }
