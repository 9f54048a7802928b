"""The stage that rules are: a run's scored transactions in, what holds and what it asks for out."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.rules.cells import RunCells
from monitor.rules.ruleset import Engine, Hits, RuleSet
from monitor.rules.wording import Said, said_of
from monitor.wire.columns import Columns

NO_RULES = Engine(RuleSet(), hash_of=lambda _text: 0)


class Ruled(NamedTuple):
    """Of a run of `n` records: what held (`hits.rows` are places in the run), and `levels` uint8[n], a `Level` each; 0 where a record was not scored."""

    hits: Hits
    levels: NDArray[np.uint8]


def ruled(
    engine: Engine,
    columns: Columns,
    features: NDArray[np.float64],
    scores: NDArray[np.float64],
    scored: NDArray[np.bool_],
) -> Ruled:
    """`features` float64[n, k], `scores` float64[n], `scored` bool[n]: only these are looked at, and a score of NaN is unknown."""
    n = len(scored)
    rows = np.flatnonzero(scored) if len(engine) else np.zeros(0, np.int64)
    whole = rows.size == n
    hits = engine.held(
        RunCells(columns, rows, features if whole else features[rows], scores if whole else scores[rows])
    )
    hits = hits.at(rows)
    return Ruled(hits, engine.levels(hits, n))


def in_words(
    engine: Engine,
    found: Ruled,
    columns: Columns,
    features: NDArray[np.float64],
    scores: NDArray[np.float64],
    rows: NDArray[np.int64],
) -> list[tuple[Said, ...]]:
    """What active rules say of each of the run's `rows` int64[m], the strongest first; `features` and `scores` are the run's."""
    if not len(engine):
        return [()] * rows.size
    cells = RunCells(columns, rows, features[rows], scores[rows])
    return [tuple(said_of(row, place, found.hits, engine.ruleset, cells)) for place, row in enumerate(rows.tolist())]
