"""Tests beside a file of rules are run as serving would, and are refused where they make no sense."""

from pathlib import Path

import pytest

from monitor.errors import RulesError
from monitor.rules.cases import failures, run_cases
from monitor.rules.rule_file import read_rules
from tests.unit.rules.test_rule_file import FILE, GOOD

RULES = read_rules(GOOD, FILE)
TESTS = Path("rules.test.toml")


def run(given, expect, rule="burst"):
    text = f'[[case]]\nrule = "{rule}"\nname = "it"\ngiven = {given}\nexpect = "{expect}"\n'
    (found,) = run_cases(text, TESTS, RULES)
    return found


FULL = 'channel = "card", is_credit = false, events_total = 9'


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (f"{{count_5m = 10, {FULL}}}", "burst_high"),
        (f"{{count_5m = 5, {FULL}}}", "burst"),
        (f"{{count_5m = 4, {FULL}}}", "not_held"),
        ('{count_5m = 10, channel = "wallet", is_credit = false, events_total = 9}', "not_held"),
        ('{count_5m = 10, channel = "card", is_credit = false, events_total = 4}', "insufficient_history"),
    ],
)
def test_a_case_passes_when_the_rule_says_what_is_expected(given, said):
    assert run(given, said).passed
    other = "not_held" if said != "not_held" else "burst"
    failed = run(given, other)
    assert not failed.passed
    assert failures([failed]) == f"burst: it: expected {other}, found {said}"


def test_a_shadow_rule_is_tested_as_if_it_acted_and_words_are_compared():
    assert run('{merchant_id = "m-1"}', "watched", "watched_merchant").passed
    assert run('{merchant_id = "m-3"}', "not_held", "watched_merchant").passed
    assert run("{}", "not_applicable", "watched_merchant").passed


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[case]", "rules.test.toml"),
        ('[[case]]\nrule = "burst"\n', "rules.test.toml"),
        ('[[case]]\nrule = "brust"\nname = "x"\nexpect = "burst"', r"case 1 \(x\): rule: 'brust': no such rule"),
        ('[[case]]\nrule = "burst"\nname = "x"\nexpect = "brust"', "the rule says one of burst, burst_high"),
        ('[[case]]\nrule = "burst"\nname = "x"\nexpect = "burst"', "given: channel, count_5m, events_total, is_credit: the rule"),
        ('[[case]]\nrule = "burst"\nname = "x"\nexpect = "burst"\ngiven = {amuont = 1}', "given.amuont: no such name"),
        ('[[case]]\nrule = "burst"\nname = "x"\nexpect = "burst"\ngiven = {channel = "crad"}', "'crad': card, transfer"),
        ('[[case]]\nrule = "burst"\nname = "x"\nexpect = "burst"\ngiven = {is_credit = 1}', "true or false is needed"),
        ('[[case]]\nrule = "burst"\nname = "x"\nexpect = "burst"\ngiven = {amount = 5}', r'money is needed, such as "money\(12.50\)"'),
        ('[[case]]\nrule = "burst"\nname = "x"\nexpect = "burst"\ngiven = {amount = "minutes(5)"}', "a length of time, where money is needed"),
        ('[[case]]\nrule = "burst"\nname = "x"\nexpect = "burst"\ngiven = {count_5m = "count_1h"}', "a plain number is needed"),
    ],
)  # fmt: skip
def test_a_case_that_makes_no_sense_is_refused(text, said):
    with pytest.raises(RulesError, match=said):
        run_cases(text, TESTS, RULES)
