"""The stages of a run, by name: what the pipeline reports as it goes, and what the metrics are labelled with."""

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
