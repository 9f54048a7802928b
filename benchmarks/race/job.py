"""What every system is given: the model, the exchange table and the threshold, and the alerts that must come of it.

A `Job` is a directory: `models/` for ours, `job.bin` for the Java peer, `job.json`, `forest.npz` and `training.npy` for the Python ones.
"""

import json
import struct
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.race.stream import START_MS, Stream
from monitor.learn.dataset import Dataset, replay
from monitor.learn.fit import Recipe, fit, golden_rows, scores_of
from monitor.learn.sources import simulated
from monitor.money.currencies import exponents, pack, place
from monitor.money.exchange import ExchangeTable, load_exchange
from monitor.scoring.artifact import save_model, set_current
from monitor.scoring.model import Model
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate

WINDOWS = ("1h", "24h", "7d")
FEATURES = (
    "amount",
    "is_credit",
    "events_total",
    "time_since_last",
    *(f"{figure}_{window}" for figure in ("count", "sum", "mean", "max") for window in WINDOWS),
)
"""The peers' whole catalogue, in the order of their rows; ours makes these among its 44."""

TRAINING_TRANSACTIONS, TRAINING_SEED, TREES, SAMPLES = 200_000, 7, 100, 1024
CLEAR = 1e-6
"""No score of the stream is nearer to the threshold: who computes with another rounding still alerts for the same ones."""


@dataclass(frozen=True, slots=True)
class Job:
    """Where it lies, its threshold, and the score of each alert that is due, by transaction id; `places` in the stream, ascending."""

    directory: Path
    version: str
    keys: str
    threshold: float
    due: dict[str, float]
    places: NDArray[np.int64]

    def due_of(self, count: int) -> dict[str, float]:
        """The alerts due of the first `count` transactions of the stream."""
        wanted = int(np.searchsorted(self.places, count))
        return dict(list(self.due.items())[:wanted])


class Jobs:
    """Jobs of one forest; it is fitted when the first is asked for."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._exchange = load_exchange(None)
        self._training: Dataset | None = None
        self._model: Model | None = None
        self._scores: dict[Stream, NDArray[np.float64]] = {}
        self._made: dict[tuple[Stream, float], Job] = {}

    def make(self, stream: Stream, rate: float) -> Job:
        """The job whose alerts are `rate` of the stream's transactions."""
        if (stream, rate) not in self._made:
            self._made[stream, rate] = self._make(stream, rate)
        return self._made[stream, rate]

    def _make(self, stream: Stream, rate: float) -> Job:
        model, training = self._fitted()
        scores = self._scores_of(stream, model)
        threshold = clear_threshold(scores, rate)
        version = f"race-1.{stream.keys}.{rate}"
        model = replace(model, version=version, review_threshold=threshold, block_threshold=threshold)
        directory = self._directory / version
        directory.mkdir(parents=True)
        save_model(directory / "models", model, golden_rows(model, training), {}, "The forest of the race.\n")
        set_current(directory / "models", version)
        np.save(directory / "training.npy", training.matrix(FEATURES))
        np.savez(directory / "forest.npz", allow_pickle=False, **model.forest.arrays())
        rates = rates_of(self._exchange)
        (directory / "job.json").write_text(
            json.dumps({"threshold": threshold, "version": version, "features": FEATURES, "rates": rates})
        )
        (directory / "job.bin").write_bytes(packed(model, rates))
        places = np.flatnonzero(scores >= threshold)
        ids = stream.transaction_ids[places]
        due = dict(zip((name.decode() for name in ids.tolist()), scores[places].tolist(), strict=True))
        return Job(directory, version, stream.keys, threshold, due, places)

    def _fitted(self) -> tuple[Model, Dataset]:
        if self._model is None or self._training is None:
            spec = SimulationSpec(seed=TRAINING_SEED, transactions=TRAINING_TRANSACTIONS, start_ms=START_MS)
            self._training = replay(simulated(generate(spec)), self._exchange)
            recipe = Recipe(features=FEATURES, trees=TREES, samples=SAMPLES, seed=TRAINING_SEED)
            self._model = fit(self._training, recipe, "race-1")
        return self._model, self._training

    def _scores_of(self, stream: Stream, model: Model) -> NDArray[np.float64]:
        """Of every transaction, by the library that also serves; the workers must come to the same."""
        if stream not in self._scores:
            seen = replay(simulated(stream.batches), self._exchange, FEATURES)
            assert len(seen) == stream.count, f"{stream.count - len(seen)} transactions of the stream are not scored"
            self._scores[stream] = scores_of(model, seen)
        return self._scores[stream]


def clear_threshold(scores: NDArray[np.float64], rate: float) -> float:
    """The middle of the gap between scores that is nearest to the quantile 1 - rate, so that no alert hangs on a last bit."""
    ascending = np.sort(scores)
    gaps = np.flatnonzero(np.diff(ascending) > 2 * CLEAR)
    at = gaps[np.argmin(np.abs(gaps + 1 - len(scores) * (1 - rate)))]
    return float((ascending[at] + ascending[at + 1]) / 2)


def rates_of(exchange: ExchangeTable) -> dict[str, tuple[int, int]]:
    """Numerator and denominator of each currency that has a rate."""
    found = {}
    for code in sorted(exponents()):
        at = place(pack(code))
        if exchange.denominators[at] > 0:
            found[code] = (int(exchange.numerators[at]), int(exchange.denominators[at]))
    return found


def packed(model: Model, rates: dict[str, tuple[int, int]]) -> bytes:
    """What benchmarks/peers/kafka_streams/src/Job.java and Forest.java read."""
    forest, version = model.forest, model.version.encode()
    parts = [struct.pack("<di", model.review_threshold, len(version)), version, struct.pack("<i", len(rates))]
    parts += [struct.pack("<3sqq", code.encode(), *fraction) for code, fraction in rates.items()]
    parts += [struct.pack("<iiid", forest.trees, forest.depth, forest.features, forest.normaliser)]
    parts += [np.ascontiguousarray(a).tobytes() for a in (forest.feature, forest.threshold, forest.leaf)]
    return b"".join(parts)
