"""Every command of docs/tutorial.md runs, in order, and leads where the page says."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from monitor.learn.backtest import METHODS
from monitor.registry import history
from monitor.scoring.artifact import load_model
from monitor.versions import current_version

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"


def test_the_tutorial_leads_from_payments_to_a_promoted_model(tmp_path):
    commands = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.S))
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    tried = json.loads((tmp_path / "backtest.json").read_text())["tried"]
    precision = {
        method: sum(each["quality"]["average_precision"] for each in tried if each["method"] == method)
        for method in METHODS
    }
    assert precision["forest"] > precision["amount alone"]
    assert precision["forest, challenger beside"] > precision["forest"]
    for page in ("backtest.html", "second.html"):
        assert "<svg" in (tmp_path / page).read_text()
    assert [part.name for part in load_model(tmp_path / "models", "second").parts] == ["forest", "challenger"]
    steps = history.steps(tmp_path / "models")
    assert [(step.action, step.version) for step in steps] == [("promoted", "second"), ("rolled back", "first")]
    assert set(steps[0].signers) == {"Ann", "Ben"}
    assert current_version(tmp_path / "models") == "first"
    assert "2026-05-05" in done.stdout
