"""docs/architecture.md names files, metrics and settings that exist."""

import re
from pathlib import Path

from monitor.settings import Settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
CODE = re.findall(r"`([^`\n]+)`", PAGE)


def test_every_file_named_exists():
    named = {each for each in CODE if "/" in each}
    assert len(named) > 20
    assert {each for each in named if not (ROOT / each).exists()} == set()


def test_every_module_of_the_worker_is_named():
    """Top-level modules are the joints: whoever adds one says here what it is for."""
    beside = {
        "__init__",
        "__main__",
        "cli",
        "jit",
        "kernel_cache",
        "resources",
        "settings",
        "settings_model",
        "settings_artifacts",
        "settings_rails",
        "settings_topics",
        "warm_up",
    }
    modules = {path.stem for path in (ROOT / "monitor").glob("*.py")} - beside
    assert {each for each in modules if f"monitor/{each}.py" not in CODE} == set()


def test_every_setting_named_exists():
    known = set(Settings.model_fields)
    named = {each for each in CODE if re.fullmatch(r"(max|commit|topic|app|idle|session|poll)_[a-z_]+", each)}
    assert named
    assert named <= known


def test_every_metric_named_is_documented():
    metrics = (ROOT / "docs" / "metrics.md").read_text()
    named = {each for each in CODE if each.startswith("monitor_")}
    assert named
    assert {each for each in named if each not in metrics} == set()
