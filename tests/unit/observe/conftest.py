"""A run's figures for the tests of metrics and of the pages that show them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from monitor.observe.run_figures import RunFigures
from monitor.stages import Stage

NOW_MS = 1_790_000_000_000


@pytest.fixture
def run_figures() -> Callable[..., RunFigures]:
    """Figures of a run of `n` scored records of partition 3; any field can be replaced."""

    def make(n: int = 4, **changes: Any) -> RunFigures:
        fields: dict[str, Any] = {
            "partition": 3,
            "dispositions": np.zeros(n, np.uint8),
            "reasons": np.zeros(n, np.uint8),
            "flags": np.zeros(n, np.uint16),
            "event_times_ms": np.full(n, NOW_MS - 30, np.int64),
            "scores": np.full(n, 0.42),
            "alert_outcomes": np.zeros(0, np.uint8),
            "held": np.zeros(n, np.uint8),
            "record_times_ms": np.full(n, NOW_MS - 20, np.int64),
            "detected_at_ms": NOW_MS,
            "committed_at_ms": NOW_MS + 4,
            "commit_s": 0.0035,
            "stages_s": dict.fromkeys(Stage, 0.0002),
            "watermark_ms": NOW_MS - 30,
            "last_offset": 1003,
            "audit_height": 17,
            "accounts": 5,
            "horizons_ms": np.full(n, -1, np.int64),
            "swept": 0,
            "misplaced": 0,
            "partial": 0,
            "unexplained": 0,
        }
        return RunFigures(**{**fields, **changes})

    return make
