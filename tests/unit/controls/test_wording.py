"""Controls in words."""

import pytest

from monitor.controls.wording import said, span_text, time_text
from tests.unit.controls.conftest import NOW, control


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (control(rule_id="burst", blocks=True), "suppress account a-1, rule burst; blocks too"),
        (control(account_id=None, reason_code="pace"), "suppress reason pace"),
        (control("override"), "review account a-1"),
        (control("override", account_id="a\x1b[2J\u200bü\n"), "review account a\\x1b[2J\\u200bü\\n"),
        (control("list_entry", word="m\t1"), "list watched: m\\t1"),
        (control("list_entry"), "list watched: m-1"),
        (control("rail", withdrawn=True), "rail card: walled (withdrawn)"),
    ],
)
def test_what_a_control_does_is_said_in_few_words(made, words):
    assert said(made) == words


def test_times_are_in_utc_and_exact():
    assert time_text(NOW + 7) == "2026-09-21T14:13:20.007Z"
    assert span_text(control()) == "2026-09-21T14:13:20Z to 2026-09-21T15:13:20Z"
    assert span_text(control("rail")) == "until withdrawn"
