"""Bucket edges of the histograms: upper, rising, in the unit of the metric's name."""

LATENCY_BOUNDS_S = (0.005, 0.01, 0.02, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""The objectives are edges: 20 ms (p99 at 100/s), 25 ms (p50 at 5,000/s), 50 ms (p99 at 5,000/s)."""

STAGE_BOUNDS_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
COMMIT_BOUNDS_S = (0.002, 0.003, 0.004, 0.006, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0, 15.0, 30.0)
"""A commit takes 3-6 ms on a healthy cluster; 30 s is the default of commit_timeout_s."""

HORIZON_BOUNDS_S = (60.0, 300.0, 900.0, 3600.0, 21_600.0, 86_400.0, 259_200.0, 604_800.0, 2_592_000.0)
"""A minute to thirty days: how late an upstream system may retry, which is for its owner to say."""

RUN_BOUNDS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2000, 4096, 8192, 65_536)
SCORE_BOUNDS = (0.3, 0.35, 0.4, 0.45, 0.5, 0.525, 0.55, 0.575, 0.6, 0.625, 0.65, 0.675, 0.7, 0.75, 0.8, 0.9)
"""An isolation forest's ordinary scores lie at 0.35-0.5; the edges are dense where thresholds are."""
