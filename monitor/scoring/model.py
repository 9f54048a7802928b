"""A model: a forest over named features, and the thresholds that turn its score into an outcome."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.features.catalogue import CATALOGUE, INDEX, feature_set_digest
from monitor.scoring.forest import Forest, expected_paths


@dataclass(frozen=True, slots=True)
class Model:
    """`features`: the names of the forest's columns, in its order. `review_threshold <= block_threshold`, both in 0..1.

    `quartiles` float64[2, k]: first and third quartile of each feature in training; a value between them is no reason for anything.
    `feature_set` is `name@digest`, as alerts carry it; `manifest` is what the artifact says about itself.
    """

    version: str
    features: tuple[str, ...]
    forest: Forest
    review_threshold: float
    block_threshold: float
    feature_set: str
    quartiles: NDArray[np.float64] = field(repr=False)
    manifest: Mapping[str, Any] = field(default_factory=dict, repr=False)
    columns: NDArray[np.int64] = field(init=False, repr=False)
    """int64[k]: where the features are in the catalogue."""
    expected_paths: NDArray[np.float64] = field(init=False, repr=False)
    """float64[T, nodes]: path length to expect below each node; see `monitor/scoring/explain.py`."""

    def __post_init__(self) -> None:
        if len(self.features) != self.forest.features:
            raise ValueError(f"features: {len(self.features)} names for a forest over {self.forest.features}")
        if self.quartiles.shape != (2, len(self.features)):
            raise ValueError(f"quartiles: shape {self.quartiles.shape}; expected (2, {len(self.features)})")
        object.__setattr__(self, "columns", np.array([INDEX[name] for name in self.features], np.int64))
        object.__setattr__(self, "expected_paths", expected_paths(self.forest))

    def rows(self, features: NDArray[np.float64]) -> NDArray[np.float32]:
        """The forest's columns of the catalogue matrix float64[n, len(CATALOGUE)], as float32[n, k]."""
        if features.ndim != 2 or features.shape[1] != len(CATALOGUE):
            raise ValueError(f"features: shape {features.shape}; expected float64[n, {len(CATALOGUE)}]")
        with np.errstate(over="ignore"):  # beyond float32 is infinite, and compares as it should
            return features[:, self.columns].astype(np.float32)

    def score(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores float64[n], 0 to 1, higher is stranger, of the catalogue matrix float64[n, len(CATALOGUE)].

        NaN where one of this model's features is NaN: not scored.
        """
        return self.forest.score(self.rows(features))


def feature_set_of(name: str, features: tuple[str, ...]) -> str:
    """`name@digest`: changes when a feature's name, unit or meaning does."""
    return f"{name}@{feature_set_digest(features)}"
