"""A model: a forest over named features, what stands beside it, and the thresholds that turn the score into an outcome.

Each part has its own features and its own score; a scale makes it comparable with the forest's, and a payment's score is the greatest. So
whatever is known of a payment can raise its score and nothing can hide it, and where a part cannot say (no snapshot of labels was in force), the
others still do.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.features.catalogue import ACCOUNT_FEATURES, CATALOGUE, INDEX, RISK_NAMES, feature_set_digest
from monitor.scoring.forest import Forest
from monitor.scoring.percentiles import Percentiles
from monitor.scoring.scale import Scale


class Method(Protocol):
    """A way to score rows float32[n, features]: float64[n], higher is stranger, NaN where it cannot say."""

    @property
    def features(self) -> int: ...

    def score(self, rows: NDArray[np.float32]) -> NDArray[np.float64]: ...

    def contributions(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """What each feature did to each score, float64[n, features], above 0: it made the row stranger."""
        ...


@dataclass(frozen=True, slots=True)
class Part:
    """One method of a model. `features`: the names of its columns, in its order. `quartiles` float64[2, k]: first and third quartile of each in
    training; a value between them is no reason for anything. `scale`: what its scores are worth; None: they are the scale.
    """

    name: str
    method: Method
    features: tuple[str, ...]
    quartiles: NDArray[np.float64] = field(repr=False)
    scale: Scale | None = None
    columns: NDArray[np.int64] = field(init=False, repr=False)
    """int64[k]: where the features are in the catalogue."""

    def __post_init__(self) -> None:
        if len(self.features) != self.method.features:
            raise ValueError(f"features: {len(self.features)} names for a {self.name} over {self.method.features}")
        if self.quartiles.shape != (2, len(self.features)):
            raise ValueError(f"quartiles: shape {self.quartiles.shape}; expected (2, {len(self.features)})")
        object.__setattr__(self, "columns", np.array([INDEX[name] for name in self.features], np.int64))

    def level(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """What its scores of `rows` float32[n, k] are worth, float64[n], 0 to 1; NaN where it cannot say."""
        raw = self.method.score(rows)
        return raw if self.scale is None else self.scale.of(raw)


class Judged(NamedTuple):
    """Of `n` rows: `scores` float64[n], NaN where no part could say; `by` uint8[n], the part whose score it is; `partial` bool[n]: some part could not say."""

    scores: NDArray[np.float64]
    by: NDArray[np.uint8]
    partial: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Model:
    """`parts`: the forest, which is always there, then what stands beside it. `review_threshold <= block_threshold`, both in 0..1.

    `feature_set` is `name@digest`, as alerts carry it; `seal` stands for every byte of the artifact it was loaded from, empty for none; `manifest`
    is what that says about itself. `percentiles`: of all its features in training; None: nobody kept them.
    """

    version: str
    parts: tuple[Part, ...]
    review_threshold: float
    block_threshold: float
    feature_set: str
    seal: str = ""
    manifest: Mapping[str, Any] = field(default_factory=dict, repr=False)
    percentiles: Percentiles | None = field(default=None, repr=False)
    features: tuple[str, ...] = field(init=False)
    """All that some part looks at, the forest's first."""
    places: tuple[NDArray[np.int64], ...] = field(init=False, repr=False)
    """Of each part, int64[k]: where its features are in `features`."""
    risk_kinds: tuple[int, ...] = field(init=False)
    """The kinds of entities whose risk some part looks at: places in `RISK_KINDS`."""

    def __post_init__(self) -> None:
        if not self.parts or self.parts[0].scale is not None or not isinstance(self.parts[0].method, Forest):
            raise ValueError("parts: the first must be a forest, whose scores are the scale")
        features = features_of(self.parts)
        if self.percentiles is not None and self.percentiles.names != features:
            raise ValueError(f"percentiles: of {self.percentiles.names}, the model's features are {features}")
        places = tuple(np.array([features.index(name) for name in part.features], np.int64) for part in self.parts)
        object.__setattr__(self, "features", features)
        object.__setattr__(self, "places", places)
        risks = [INDEX[name] - len(ACCOUNT_FEATURES) for name in features]
        kinds = {place // len(RISK_NAMES) for place in risks if place >= 0}
        object.__setattr__(self, "risk_kinds", tuple(sorted(kinds)))

    @property
    def forest(self) -> Forest:
        """The first part's method."""
        assert isinstance(self.parts[0].method, Forest)
        return self.parts[0].method

    def judge(self, features: NDArray[np.float64]) -> Judged:
        """Scores of the catalogue matrix, float64[n, len(CATALOGUE)], or only its first columns, float64[n, len(ACCOUNT_FEATURES)], if no part looks at risk."""
        wanted = len(CATALOGUE) if self.risk_kinds else len(ACCOUNT_FEATURES)
        if features.ndim != 2 or features.shape[1] not in (wanted, len(CATALOGUE)):
            raise ValueError(f"features: shape {features.shape}; expected float64[n, {wanted}]")
        return self._judged(features, [part.columns for part in self.parts])

    def judge_own(self, rows: NDArray[np.float32]) -> Judged:
        """The same of this model's own columns, float32[n, len(self.features)] in the order of `features`."""
        if rows.ndim != 2 or rows.shape[1] != len(self.features):
            raise ValueError(f"rows: shape {rows.shape}; expected float32[n, {len(self.features)}]")
        return self._judged(rows, self.places)

    @property
    def columns(self) -> NDArray[np.int64]:
        """int64[k]: where `features` are in the catalogue."""
        return np.array([INDEX[name] for name in self.features], np.int64)

    def score(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """The scores that `judge` gives."""
        return self.judge(features).scores

    def _judged(self, matrix: NDArray[Any], columns: Sequence[NDArray[np.int64]]) -> Judged:
        levels = [part.level(as_rows(matrix, chosen)) for part, chosen in zip(self.parts, columns, strict=True)]
        scores, by = levels[0], np.zeros(len(matrix), np.uint8)
        partial = np.isnan(scores)
        for number, level in enumerate(levels[1:], 1):
            unsaid = np.isnan(level)
            better = (level > scores) | (np.isnan(scores) & ~unsaid)
            scores, by = np.where(better, level, scores), np.where(better, np.uint8(number), by)
            partial = partial | unsaid
        return Judged(scores, by, partial)


def as_rows(matrix: NDArray[Any], columns: NDArray[np.int64]) -> NDArray[np.float32]:
    """The columns of a matrix as the methods take them, float32[n, k]; the matrix itself where it is that already: training data may fill half the memory."""
    every = matrix.shape[1] == len(columns) and bool((columns == np.arange(len(columns))).all())
    with np.errstate(over="ignore"):  # beyond float32 is infinite, and compares as it should
        return (matrix if every else matrix[:, columns]).astype(np.float32, copy=False)


def features_of(parts: Iterable[Part]) -> tuple[str, ...]:
    """All that some part looks at, each once, in order."""
    return tuple(dict.fromkeys(name for part in parts for name in part.features))


def feature_set_of(name: str, features: tuple[str, ...]) -> str:
    """`name@digest`: changes when a feature's name, unit or meaning does."""
    return f"{name}@{feature_set_digest(features)}"
