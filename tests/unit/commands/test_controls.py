"""`monitor controls`, as people type it; docs/controls.md has what works (tests/docs/test_controls.py)."""

import os
from pathlib import Path

import pytest

from monitor.commands.controlling import book_of, submitted
from monitor.controls.record import Signed
from monitor.controls.topic import write_controls
from monitor.embedded.mock import MockCluster
from monitor.errors import ControlsError, SettingsError, TopicError
from monitor.keys import make_key
from monitor.settings import Settings
from tests.commands import run_here
from tests.unit.controls.conftest import NOW, control

EXAMPLES = Path(__file__).parents[3] / "examples"
USAGE = 2


@pytest.fixture(scope="module")
def brokers():
    with MockCluster() as cluster:
        cluster.create_topic(Settings().topic_controls, 1)
        yield cluster.bootstrap


@pytest.fixture
def said(brokers, tmp_path):
    """A function: exit code, and what was printed, each run of white space one blank."""

    def run(*arguments, **settings):
        values = {"brokers": brokers, "rules_dir": tmp_path / "rules", **settings}
        environment = dict(os.environ) | {f"MONITOR_{name.upper()}": str(value) for name, value in values.items()}
        done = run_here(environment, tmp_path, "controls", *arguments)
        return done.returncode, " ".join((done.stdout + done.stderr).split())

    return run


WHY = ("--because", "as agreed")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("override", "--account", "a", "--outcome", "aprove", "--for", "2h", *WHY), USAGE, "'aprove' is not one of"),
        (("suppress", "--account", "a", *WHY), USAGE, "say when it ends"),
        (("suppress", "--account", "a", "--for", "2h", "--until", "2026-11-22", *WHY), USAGE, "say when it ends"),
        (("suppress", "--account", "a", "--for", "soon", *WHY), USAGE, "no length of time"),
        (("suppress", "--account", "a", "--for", "0h", *WHY), ControlsError.exit_code, "it must end, and after"),
        (("suppress", "--account", "a", "--until", "tomorrow", *WHY), SettingsError.exit_code, "--until 'tomorrow'"),
        (("suppress", "--for", "2h", *WHY), ControlsError.exit_code, "name at least one"),
        (("suppress", "--account", "a", "--for", "2h", "--because", ""), ControlsError.exit_code, "reason = ''"),
        (("suppress", "--account", "a", "--for", "2h"), USAGE, "Missing option '--because'"),
        (("list-remove", "watched", "m-1", *WHY), ControlsError.exit_code, "not added by a control"),
        (("rail", "pigeon", "walled", *WHY), USAGE, "'pigeon' is not one of"),
        (("withdraw", "0000", *WHY), ControlsError.exit_code, "nothing of that id is in force"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_written(said, arguments, code, words):
    found, text = said(*arguments)
    assert (found, words in text) == (code, True), text
    assert "version (none yet)" in said("list", "--all")[1]


def test_a_topic_that_is_not_there_is_named(said):
    code, text = said("rail", "card", "open", *WHY, topic_controls="elsewhere")
    assert (code, "topic elsewhere" in text) == (TopicError.exit_code, True)


def test_without_the_signatures_it_needs_a_control_is_not_written(said, tmp_path):
    public, _ = make_key(tmp_path / "ann.key", None)
    code, text = said("rail", "card", "open", *WHY, controls_signers=public)
    assert (code, "0 valid signatures of the 1 needed" in text) == (ControlsError.exit_code, True)
    assert said("propose", "rail", "card", "open", *WHY, "-o", "rail.json", controls_signers=public)[0] == 0
    code, text = said("submit", "rail.json", controls_signers=public)
    assert (code, "0 valid signatures of the 1 needed" in text) == (ControlsError.exit_code, True)
    assert "version (none yet)" in said("list", "--all")[1]


def test_words_are_held_against_the_rules_in_force(said, tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text((EXAMPLES / "rules.toml").read_text())
    environment = dict(os.environ) | {"MONITOR_RULES_DIR": str(tmp_path / "rules")}
    for command in (("publish", path), ("promote", "starter-1", "--why", "x")):
        assert run_here(environment, tmp_path, "rules", *command).returncode == 0
    code, text = said("list-add", "sanctioned", "Germany", *WHY)
    assert (code, "'Germany': country is 2 capital letters" in text) == (ControlsError.exit_code, True)
    code, text = said("propose", "list-add", "others", "x", *WHY, "-o", "others.json")
    assert (code, "no rule in force looks it up" in text) == (0, True)


def test_who_was_overtaken_while_writing_is_told_so():
    with MockCluster() as cluster:
        cluster.create_topic(Settings().topic_controls, 1)
        settings = Settings(brokers=cluster.bootstrap)
        book = book_of(settings)
        first, late = (Signed(control("rail", rail="wallet", created_at=NOW + at)) for at in (5, 3))
        write_controls(settings, [first])
        with pytest.raises(ControlsError, match=r"1 of 2 written and passed over: .*not after that of"):
            submitted(settings, book, [late, Signed(control("rail", rail="card", state="auto"))])
        assert [each.control for each in book_of(settings).entries] == [
            first.control, control("rail", rail="card", state="auto")
        ]  # fmt: skip
