"""`monitor rules`, as people type it."""

import json
import re
import shutil
from pathlib import Path

import pytest

from monitor.cli import _exit_code
from monitor.commands.rules_schema import schema
from monitor.errors import ArtifactError, RulesError
from monitor.keys import make_key
from monitor.resources import shipped
from monitor.rules.stored import load_rules
from monitor.scoring.artifact import load_model

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "rules.toml"


@pytest.fixture
def rules_dir(tmp_path, monkeypatch):
    monkeypatch.setenv("MONITOR_RULES_DIR", str(tmp_path / "rules"))
    monkeypatch.setenv("MONITOR_RISK_DIR", str(tmp_path / "risk"))
    return tmp_path / "rules"


def said(capsys, *arguments):
    """Its exit code, and what it printed, each run of white space one blank."""
    code = _exit_code(["rules", *map(str, arguments)])
    found = capsys.readouterr()
    return code, " ".join((found.out + found.err).split())


def test_the_example_is_right_and_all_its_rules_are_tested(capsys):
    code, text = said(capsys, "check", EXAMPLE)
    assert (code, text) == (0, f"{EXAMPLE}: version starter-1: 6 active, 1 shadow 15 tests, 0 failed")


def test_a_test_that_fails_is_exit_code_1_and_a_malformed_file_its_own(capsys, tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text(EXAMPLE.read_text())
    (tmp_path / "rules.test.toml").write_text(EXAMPLE.with_name("rules.test.toml").read_text().replace('"KP"', '"DE"'))
    code, text = said(capsys, "check", path)
    assert code == 1
    assert "sanctioned_country: a sanctioned country is blocked: expected sanctioned_country, found not_held" in text
    path.write_text(EXAMPLE.read_text().replace("count_5m", "cuont_5m"))
    code, text = said(capsys, "check", path)
    assert code == RulesError.exit_code
    assert "did you mean count_5m" in text


def test_a_rule_is_explained_in_words(capsys):
    code, text = said(capsys, "explain", EXAMPLE, "card_testing")
    assert not code
    for part in (
        'holds when channel == "card"',
        "at least 10 payments before",
        "small_count_15m from 3: review",
        "[debits]: Debits in the last 15",
    ):
        assert part in text
    assert "burst" not in text
    assert said(capsys, "explain", EXAMPLE, "bruts")[0] == RulesError.exit_code


def test_rules_are_tried_on_the_past_and_two_are_compared(capsys, tmp_path, rules_dir):
    figures = tmp_path / "trial.json"
    code, text = said(capsys, "test", EXAMPLE, "-n", "20000", "--json", figures)
    assert not code
    found = json.loads(figures.read_text())
    assert f"{found['transactions']:,} payments in" in text
    burst = next(each for each in found["rules"] if each["rule_id"] == "burst")
    assert burst["hits"] == sum(burst["by_band"].values()) > 0
    assert sum(found["outcomes"].values()) == found["transactions"]
    after = tmp_path / "after.toml"
    after.write_text(EXAMPLE.read_text().replace("at_least = 5", "at_least = 2").replace('"starter-1"', '"starter-2"'))
    code, text = said(capsys, "diff", EXAMPLE, after, "-n", "20000")
    assert not code
    assert "~ burst: bands changed; its version is the same: give it another" in text
    before_hits, after_hits = text.split("burst ")[-1].split()[:2]
    assert int(after_hits.replace(",", "")) > int(before_hits.replace(",", "")) == burst["hits"]


def test_an_alert_budget_gives_a_threshold_and_the_command_that_serves_it(capsys, tmp_path, rules_dir, monkeypatch):
    monkeypatch.setenv("MONITOR_MODELS_DIR", str(tmp_path / "models"))
    shutil.copytree(shipped("models"), tmp_path / "models")
    code, text = said(capsys, "test", EXAMPLE, "-n", "20000", "--alerts-a-day", "3")
    assert not code
    assert re.search(r"3 alerts a day: review from 0\.\d{6} on \(now 0\.635894\); [\d.]+ by rules and", text)
    assert re.search(r"recall [\d.]+% \(now [\d.]+%\)", text)
    command = re.search(
        r"to serve it: monitor (models thresholds lean-1 --review (\S+)(?: --block \S+)? --as NEW)_VERSION", text
    )
    assert _exit_code(command[1].split()) == 0
    assert "NEW: lean-1, review from" in capsys.readouterr().out
    assert load_model(tmp_path / "models", "NEW").review_threshold == float(command[2])
    code, text = said(capsys, "test", EXAMPLE, "-n", "20000", "--alerts-a-day", "0.001")
    assert not code
    assert "0.001 alerts a day: no threshold keeps it; the rules alone alert" in text


def test_a_file_becomes_a_version_that_is_approved_and_put_in_force(capsys, tmp_path, rules_dir, monkeypatch):
    key = tmp_path / "ann.key"
    public, _ = make_key(key, None)
    assert not said(capsys, "publish", EXAMPLE)[0]
    monkeypatch.setenv("MONITOR_RULES_SIGNERS", str(public))
    code, text = said(capsys, "promote", "starter-1", "--why", "x", "--who", "Cid")
    assert code
    assert "0 valid approvals of the 1 needed; have it approved: monitor rules approve" in text
    assert not said(capsys, "approve", "starter-1", "--key", key, "--who", "Ann", "--why", "read it")[0]
    code, text = said(capsys, "promote", "starter-1", "--why", "x", "--who", "Cid")
    assert not code
    assert "approved by Ann" in text
    assert load_rules(rules_dir).version == "starter-1"
    assert "starter-1 in force 7 6 yes 1" in said(capsys, "list")[1]
    assert "fit to be served" in said(capsys, "verify")[1]


def test_the_schema_for_editors_is_what_the_code_says():
    assert (ROOT / "schemas" / "rules.schema.json").read_text() == schema(), (
        "run: python -m monitor.commands.rules_schema > schemas/rules.schema.json"
    )


def test_rules_go_to_another_machine_by_way_of_a_url(capsys, tmp_path, rules_dir, monkeypatch):
    assert not said(capsys, "publish", EXAMPLE)[0]
    assert not said(capsys, "promote", "starter-1", "--why", "x", "--who", "Cid")[0]
    url = f"file://{tmp_path}/far"
    assert said(capsys, "push", url) == (
        0,
        "starter-1 copied, and 2 other files (approvals, evaluations, the history, what is served)",
    )
    monkeypatch.setenv("MONITOR_RULES_DIR", str(tmp_path / "another"))
    assert not said(capsys, "pull", url)[0]
    assert load_rules(tmp_path / "another") == load_rules(rules_dir)
    code, text = said(capsys, "pull", f"{url}/mistyped")
    assert code == ArtifactError.exit_code
    assert "check the URL" in text
