"""docs/degradation.md describes each state, each bit and each bound that the code has, with its own numbers."""

import json
import re
from pathlib import Path

from monitor.lookout import ASK_INTERVAL_S, LOOK_AT_LEAST_S, LOOKS_MISSED
from monitor.observe import clock_watch
from monitor.observe.health import Degraded
from monitor.settings import Settings
from monitor.shedding import HOLD_S
from monitor.sideline import MOST_WAITING
from monitor.state.dispositions import Lacking
from monitor.wire import attempts, best_effort, kafka_log, schema_cache, schema_registry

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "degradation.md").read_text()


def rows_under(heading):
    """Cells of the table rows below a heading, by the first cell."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]
    return {row[0]: row[1:] for row in rows}


def test_each_state_says_how_it_begins_and_ends():
    rows = rows_under("States")
    assert list(rows) == [f"`{state.value}`" for state in Degraded]
    assert all(all(cells) for cells in rows.values())


def test_each_bit_is_there_with_its_name():
    rows = rows_under("What a decision did without")
    assert {number: cells[0] for number, cells in rows.items()} == {
        str(int(bit)): f"`{(bit.name or '').lower()}`" for bit in Lacking
    }


def test_the_bounds_are_those_of_the_code():
    rows = rows_under("Outside calls")
    registry = next(" ".join(cells) for call, cells in rows.items() if call.startswith("schema registry"))
    assert f"{schema_registry.TIMEOUT_S:g} s each" in registry
    assert f"after {schema_registry.BREAKER_FAILURES} failures" in registry
    assert f"for {schema_registry.BREAKER_OPEN_S:g} s" in registry
    assert f"every {ASK_INTERVAL_S:g} s" in registry
    assert f"{schema_cache.ASKING_S:g} s or {schema_cache.MOST_LOOKUPS} ids a run" in registry
    sideline = next(" ".join(cells) for call, cells in rows.items() if "sideline" in call)
    assert f"{MOST_WAITING} runs, or {best_effort.QUEUE_KBYTES >> 10} MiB" in sideline
    assert f"{kafka_log.STALL_S:g} s for each read" in PAGE
    assert rows["Kafka: count of attempts"][1] == f"{attempts.TIMEOUT_S:g} s"
    assert (LOOKS_MISSED, LOOK_AT_LEAST_S) == (3, 2.0)
    assert "three times `artifacts_check_s` (at least 2 s)" in PAGE
    assert f"no run was late for {HOLD_S:g} s" in PAGE


def test_the_clock_is_watched_as_the_page_says():
    assert f"last {clock_watch.WINDOW} runs" in PAGE
    assert f"first {clock_watch.AT_LEAST} runs" in PAGE
    assert f"some {clock_watch.WINDOW // 2 + 1} runs" in PAGE
    assert f"those of the last {clock_watch.STALE_MS // 60_000} minutes" in PAGE
    assert f"fewer than {clock_watch.AT_LEAST} runs in the last {clock_watch.STALE_MS // 60_000} minutes" in PAGE
    assert f"More than {clock_watch.BEHIND_MS // 1000} s above 0" in PAGE
    assert f"no more than {clock_watch.RIGHT_MS // 1000} s behind" in PAGE


def test_every_setting_and_metric_named_exists():
    code = re.findall(r"`([a-z_]+)(?:\{[^`]*\})?`", PAGE)
    metrics = (ROOT / "docs" / "metrics.md").read_text()
    assert {each for each in code if each.startswith("monitor_") and f"`{each}`" not in metrics} == set()
    settings = {each for each in code if each.endswith(("_s", "_dir")) or each == "start"}
    assert settings
    assert settings <= set(Settings.model_fields)


def test_what_shedding_saves_is_what_was_measured():
    found = json.loads((ROOT / "benchmarks" / "results" / "shedding.json").read_text())
    assert (found["share"], found["run_records"]) == (0.05, 2_000)
    assert f"{found['explained_us']:.2f} us of CPU a payment with explanations, {found['shed_us']:.2f} without" in PAGE
    assert f"so {found['records_a_second_more']:.0%} more".replace("%", " %") in PAGE
    sizes = found["alert_bytes"]
    assert f"has {sizes['shed']} bytes instead of {sizes['explained']}" in PAGE
