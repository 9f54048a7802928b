"""README.md: what it names exists, and its example of an alert consumer reads a real alert."""

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from confluent_kafka import Producer

from monitor.cli import Commands, monitor
from monitor.settings import PREFIX, Settings
from monitor.wire.kafka_config import producer_config
from tests.alerts import alert_value

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands_named(text: str) -> set[tuple[str, ...]]:
    """The words after `monitor` in code: `monitor config show --json` is ("config", "show")."""
    code = re.findall(r"`([^`\n]+)`", text) + [
        line for block in re.findall(r"```\w*\n(.*?)```", text, re.S) for line in block.splitlines()
    ]
    found = (re.match(r"(?:\.venv/bin/)?monitor((?: [a-z]+)+)", line) for line in code)
    return {tuple(match.group(1).split()) for match in found if match}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_named_exists(page):
    for words in commands_named(page.read_text()):
        command: click.Command | None = monitor
        for word in words:
            if not isinstance(command, click.Group):
                break  # what follows are arguments
            command = command.get_command(click.Context(command), word)
            assert command is not None, f"monitor {' '.join(words)}: no such command"


def test_every_command_there_is_stands_in_the_readme():
    assert {words[0] for words in commands_named(README)} >= set(Commands.entries) - {"demo"}
    assert "make demo" in README


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_variable_named_exists(page):
    named = set(re.findall(rf"\b{PREFIX}([A-Z][A-Z_]*[A-Z])\b", page.read_text()))
    assert named <= {name.upper() for name in Settings.model_fields} | {"CONFIG"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_somewhere(page):
    targets = [link.split("#")[0] for link in re.findall(r"\]\(([^)]+)\)", page.read_text()) if "://" not in link]
    absent = [target for target in targets if target and not (page.parent / target).exists()]
    assert not absent


def test_every_make_target_named_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"\bmake ([a-z]+)\b", README)) <= targets


def test_the_example_reads_an_alert_from_a_real_kafka(kafka, make_topics, tmp_path):
    names = make_topics("alerts", partitions=1)
    (code,) = re.findall(r"```python\n(.*?)```", README, re.S)
    code = code.replace("127.0.0.1:9092", kafka.bootstrap).replace('["alerts"]', f'["{names["alerts"]}"]')
    value = alert_value(
        2, outcome="block", anomaly_score=0.875, reasons=["amount 9 deviations above this account's mean"]
    )
    producer = Producer(producer_config(Settings(brokers=kafka.bootstrap)))
    producer.produce(names["alerts"], value, b"account-1")
    assert producer.flush(30) == 0
    script = tmp_path / "consumer.py"
    script.write_text(code)
    with subprocess.Popen([sys.executable, "-u", script], cwd=ROOT, stdout=subprocess.PIPE, text=True) as reader:
        try:
            assert reader.stdout is not None
            line = reader.stdout.readline()
        finally:
            reader.kill()
    assert line == "block account-1 0.875 amount 9 deviations above this account's mean\n"
