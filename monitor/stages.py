"""The stages of a run, by name: what the pipeline reports as it goes, and what the metrics are labelled with."""

import time
from enum import StrEnum


class Stage(StrEnum):
    """What a run's time is spent on, in the order of the way of a transaction."""

    DECODE = "decode"
    ADMIT = "admit"
    FOLD = "fold"
    SCORE = "score"
    DECIDE = "decide"
    EFFECTS = "effects"
    COMMIT = "commit"


class Stopwatch:
    """Seconds a stage of one run; `lap` ends the stage that it names."""

    def __init__(self) -> None:
        self.laps: dict[Stage, float] = {}
        self._at = time.perf_counter()

    def lap(self, stage: Stage) -> None:
        now = time.perf_counter()
        self.laps[stage] = self.laps.get(stage, 0.0) + now - self._at
        self._at = now
