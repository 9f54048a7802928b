"""Every command of docs/controls.md runs, and does what the page says."""

import json
import os
import re
import shlex
from pathlib import Path

import pytest

from monitor.controls.record import KINDS
from monitor.embedded.mock import MockCluster
from monitor.keys import make_key
from monitor.settings import Settings
from tests.commands import run_here

PAGE = (Path(__file__).parents[2] / "docs" / "controls.md").read_text()
FREELY, SIGNED = (block.splitlines() for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S))


@pytest.fixture
def monitor(tmp_path):
    """A function: a command as the page has it, with an empty topic of controls; what it printed."""
    with MockCluster() as cluster:
        cluster.create_topic(Settings().topic_controls, 1)
        environment = dict(os.environ) | {"MONITOR_BROKERS": cluster.bootstrap}

        def run(line, **settings):
            variables = environment | {f"MONITOR_{name.upper()}": value for name, value in settings.items()}
            done = run_here(variables, tmp_path, *shlex.split(line)[1:])
            assert done.returncode == 0, f"{line}: {done.stderr}"
            return done.stdout

        yield run


def listed(text):
    return [json.loads(line) for line in text.splitlines()]


def test_what_people_decide_is_listed_until_it_is_withdrawn(monitor):
    told = [monitor(line) for line in FREELY]
    found = {each["key"]: each for each in listed(told[-1])}
    assert {each["kind"] for each in found.values()} == set(KINDS)
    assert {key for key, each in found.items() if each["withdrawn"]} == {"list/sanctioned/IR"}
    assert "rail wallet: walled" in told[-2]
    assert "IR" not in told[-2]
    control_id = found["rail/wallet"]["control_id"]
    assert control_id[:8] in told[-2]
    monitor(f'monitor controls withdraw {control_id[:8]} --because "mended"')
    assert "rail/wallet" not in {each["key"] for each in listed(monitor("monitor controls list --json"))}


def test_what_takes_several_signatures_is_in_force_once_it_has_them(monitor, tmp_path):
    public = [str(make_key(tmp_path / name, None)[0]) for name in ("ann.key", "ben.key")]
    settings = {"controls_signers": ",".join(public), "controls_approvals": "2"}
    told = [monitor(line, **settings) for line in SIGNED]
    assert "approve account a-9" in told[1], "who signs is told what"
    assert "override/a-9" in {each["key"] for each in listed(monitor("monitor controls list --json", **settings))}


def test_every_kind_is_explained():
    for kind in KINDS:
        assert f"| `{kind}` |" in PAGE
