"""What a committed run amounts to, as the metrics take it."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from monitor.effects.audit import Position
from monitor.observe.rule_metrics import RuleFigures
from monitor.observe.run_figures import RunFigures
from monitor.rules.ruleset import Hits, RuleSet, State
from monitor.sideline import Watched
from monitor.stages import Stage, Stopwatch
from monitor.state.dispositions import Flag, Held
from monitor.wire.murmur2 import misplaced

_FIRST, _WARM_UP = int(Flag.FIRST), int(Held.WARM_UP)  # numpy is slow with members of an enum


def run_figures(
    watched: Watched, position: Position, watch: Stopwatch, now_ms: int, *, accounts: int, partitions: int
) -> RunFigures:
    """Of a run that began to be decided at `now_ms`; `accounts`: how many its partition holds; `partitions`: of the source topic."""
    run, decided = watched.run, watched.decided
    new = np.flatnonzero(decided.flags & _FIRST).tolist()
    return RunFigures(
        partition=run.partition,
        dispositions=decided.dispositions,
        reasons=decided.reasons,
        flags=decided.flags,
        event_times_ms=decided.event_times_ms,
        scores=decided.scores,
        alert_outcomes=decided.alert_outcomes,
        held=decided.held,
        record_times_ms=run.records.timestamps[[0, -1]],
        detected_at_ms=now_ms,
        committed_at_ms=now_ms + round(sum(watch.laps.values()) * 1000),
        commit_s=watch.laps[Stage.COMMIT],
        stages_s=watch.laps,
        watermark_ms=decided.watermark_ms,
        last_offset=position.last_offset,
        audit_height=position.height,
        accounts=accounts,
        horizons_ms=decided.horizons_ms,
        swept=decided.swept,
        misplaced=misplaced(map(run.records.keys.at, new), run.partition, partitions),
        partial=decided.partial,
        unexplained=0 if watched.context.explaining else unexplained(decided.outcomes, decided.held, decided.scores),
    )


def unexplained(outcomes: NDArray[np.uint8], held: NDArray[np.uint8], scores: NDArray[np.float64]) -> int:
    """Alerts, sent or withheld, that a model had scored and so would have explained; `outcomes` (0: approved) and `held` uint8[n], `scores` float64[n] are of a run's records."""
    return int(np.count_nonzero((outcomes != 0) & (held != _WARM_UP) & ~np.isnan(scores)))


def rule_figures(rules: RuleSet, hits: Hits) -> Iterator[RuleFigures]:
    """How a run went for each rule that is not paused."""
    for place, count in hits.counts.items():
        rule = rules.rules[place]
        yield RuleFigures(rule.rule_id, rule.state is State.SHADOW, *count)
