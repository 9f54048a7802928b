"""docs/rails.md has every rail, state, setting, field and metric, and its limits are those of the code."""

import re
from pathlib import Path

from prometheus_client import CollectorRegistry

from monitor.observe.metrics import Metrics
from monitor.rails.breaker import State
from monitor.rails.limits import RAILS
from monitor.rails.reject_streak import STARTING_S
from monitor.rails.watch import JUDGE_EVERY_S, RailWatch
from monitor.rails.window import LAG_EDGES_S
from monitor.settings_rails import RailSettings

PAGE = (Path(__file__).parents[2] / "docs" / "rails.md").read_text()
CODE = set(re.findall(r"`([^`\n]+)`", PAGE))


def table(title: str) -> list[list[str]]:
    """Cells of the first table after a heading, without its head."""
    section = PAGE.split(f"## {title}\n")[1].split("\n## ")[0]
    rows = section[section.index("| ") :].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row.strip("|"))] for row in rows[2:]]


def test_every_rail_is_named():
    assert set(RAILS) <= CODE


def test_the_states_are_those_there_are():
    assert [row[0].strip("`") for row in table("The states")] == [state.value for state in State]


def test_every_setting_is_explained():
    assert set(RailSettings.model_fields) <= CODE


def test_the_fields_are_those_of_the_page():
    told = {name for row in table("Where it is seen") for name in re.findall(r"`(\w+)`", row[0])}
    shown = set(RailWatch().reports(1.0)[0].as_json(1.0, 1))
    assert told == shown


def test_every_metric_of_rails_is_named():
    metrics = {line.name for line in Metrics(CollectorRegistry()).catalogue if line.name.startswith("monitor_rail_")}
    assert metrics == set(re.findall(r"monitor_rail_\w+", PAGE))


def test_the_classes_of_lag_are_those_told():
    assert "(1, 5, 15 s; 1, 5, 15, 30 min; 1, 2, 6 h; a day; a week)" in PAGE
    minutes, hours, days = (
        (60 * each for each in (1, 5, 15, 30)),
        (3_600 * each for each in (1, 2, 6)),
        (86_400, 604_800),
    )
    assert list(LAG_EDGES_S) == [1, 5, 15, *minutes, *hours, *days]


def test_the_times_told_in_words_are_those_of_the_code():
    assert "a tenth of a second" in PAGE
    assert JUDGE_EVERY_S == 0.1
    assert "waits two seconds" in PAGE
    assert STARTING_S == 2.0
