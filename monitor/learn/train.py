"""From a simulation to an artifact: replay, split by time, fit on what came first, measure on what came later and on another world."""

import platform
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version as installed
from pathlib import Path

from monitor.learn.card import card
from monitor.learn.dataset import Dataset, replay
from monitor.learn.evaluate import Evaluation, evaluate
from monitor.learn.fit import Recipe, fit, golden_rows
from monitor.money.exchange import ExchangeTable
from monitor.scoring.artifact import save_model
from monitor.scoring.model import Model
from monitor.simulate.batch import Batch
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate
from monitor.state import layout

TRAINING_SHARE = 0.6
"""Of the stream's time; the rest is what the model is measured on."""

SEED_STEP = 1
"""The other world is the simulation of the next seed."""

LIBRARIES = ("numpy", "scikit-learn", "numba")


@dataclass(frozen=True, slots=True)
class Trained:
    """A model and its figures, by what they were measured on."""

    model: Model
    evaluations: dict[str, Evaluation]
    directory: Path


def train(
    transactions: int,
    recipe: Recipe,
    version: str,
    models_dir: Path,
    exchange: ExchangeTable,
    command: str,
    on_progress: Callable[[str, int], None] = lambda _phase, _rows: None,
) -> Trained:
    """Train on a simulation of `transactions` with the recipe's seed, and save it. Raises `DatasetError`, `ArtifactError`.

    `on_progress` hears of each phase and the rows it has just done; `command` goes into the card.
    """
    spec = SimulationSpec(seed=recipe.seed, transactions=transactions)
    other = SimulationSpec(seed=recipe.seed + SEED_STEP, transactions=transactions)
    split_ms = spec.start_ms + int(spec.duration_ms * TRAINING_SHARE)
    training, later = replay(_watched(spec, "replay", on_progress), exchange).split(split_ms)
    model = fit(training, recipe, version)
    on_progress("fit", len(training))
    _, other_later = replay(_watched(other, "replay another seed", on_progress), exchange).split(
        other.start_ms + int(other.duration_ms * TRAINING_SHARE)
    )
    evaluations = {
        f"the later {1 - TRAINING_SHARE:.0%} of the same simulation (seed {spec.seed})": evaluate(model, later),
        f"the later {1 - TRAINING_SHARE:.0%} of another (seed {other.seed})": evaluate(model, other_later),
    }
    about = {
        "training": _training(spec, training, split_ms, recipe),
        "exchange": {"version": exchange.version, "digest": exchange.digest},
        "layout_version": layout.VERSION,
        "libraries": {"python": platform.python_version()} | {name: installed(name) for name in LIBRARIES},
        "metrics": {title: asdict(figures) for title, figures in evaluations.items()},
    }
    directory = save_model(
        models_dir, version, model, golden_rows(model, training), about, card(model, command, evaluations)
    )
    return Trained(model, evaluations, directory)


def _training(spec: SimulationSpec, training: Dataset, split_ms: int, recipe: Recipe) -> dict[str, object]:
    return {
        "source": "simulator",
        "seed": spec.seed,
        "transactions": spec.transactions,
        "from_ms": spec.start_ms,
        "to_ms": split_ms,
        "rows": len(training),
        "data_sha256": training.digest,
        "trees": recipe.trees,
        "samples": recipe.samples,
        "thresholds_by": f"quantiles of the training scores: review {recipe.review_rate}, block {recipe.block_rate}",
    }


def _watched(spec: SimulationSpec, phase: str, on_progress: Callable[[str, int], None]) -> Iterator[Batch]:
    for batch in generate(spec):
        yield batch
        on_progress(phase, len(batch))
