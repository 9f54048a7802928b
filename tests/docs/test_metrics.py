"""docs/metrics.md tells of every metric that exists, and of none that does not."""

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from monitor.observe.health import Degraded
from monitor.observe.metrics import Metrics
from monitor.stages import Stage

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> Metrics:
    return Metrics(registry)


def table_rows() -> list[str]:
    return [line for line in PAGE.read_text().splitlines() if line.startswith("| `monitor_")]


def test_the_table_is_the_catalogue_in_its_order(metrics):
    expected = [
        f"| `{line.name}` | {line.kind} | {', '.join(f'`{label}`' for label in line.labels)} | {line.meaning} |"
        for line in metrics.catalogue
    ]
    assert table_rows() == expected, "the rows to put into docs/metrics.md:\n" + "\n".join(expected)


def test_the_catalogue_is_what_the_registry_exposes(metrics, registry):
    exposed = {
        family.name + {"counter": "_total", "info": "_info"}.get(family.type, "")
        for family in registry.collect()
        if family.name.startswith("monitor_")
    }
    assert {line.name for line in metrics.catalogue} == exposed


def test_every_name_on_the_page_exists(metrics):
    suffixes = ("", "_bucket", "_count", "_sum")
    names = {line.name + suffix for line in metrics.catalogue for suffix in suffixes}
    mentioned = set(re.findall(r"\bmonitor_[a-z_]+", PAGE.read_text()))
    assert mentioned - names == set()


def test_the_page_explains_each_stage_and_each_degraded_state():
    text = PAGE.read_text()
    for value in (*Stage, *Degraded):
        assert f"| `{value}` |" in text, value
