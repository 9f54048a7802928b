"""A file of rules is taken whole or refused at the place that is wrong."""

from pathlib import Path

import pytest

from monitor.decide.policy import Level
from monitor.errors import RulesError
from monitor.rules.names import Kind
from monitor.rules.rule_file import read_rules
from monitor.rules.ruleset import State
from monitor.rules.tree import Compare, Member

FILE = Path("rules.toml")
GOOD = '''version = "2026-11-22"

[lists]
watched = ["m-2", "m-1", "m-2"]

[[rule]]
id = "burst"
version = 3
description = "Many payments within five minutes"
when = """
channel == "card"
  and not is_credit
"""
measure = "count_5m"
history = 5
  [[rule.band]]
  at_least = 10
  reason_code = "burst_high"
  action = "block"
  overridable = false
  text = "{value} payments in 5 minutes, the limit is {limit}"
  [[rule.band]]
  at_least = 5
  reason_code = "burst"
  action = "review"
  text = "{value} payments in 5 minutes"

[[rule]]
id = "watched_merchant"
version = 1
description = "A merchant on our list"
when = 'merchant_id in watched'
state = "shadow"
band = [{reason_code = "watched", action = "allow", text = "merchant {merchant_id}"}]
'''


def read(text):
    return read_rules(text, FILE, "ab" * 32)


def test_a_file_is_read_whole():
    rules = read(GOOD)
    assert (rules.version, rules.seal) == ("2026-11-22", "ab" * 32)
    burst, watched = rules.rules
    assert (burst.rule_id, burst.version, burst.history, burst.state) == ("burst", 3, 5, State.ACTIVE)
    assert [(band.at_least, band.reason_code, band.level) for band in burst.bands] == [
        (5.0, "burst", Level.REVIEW),
        (10.0, "burst_high", Level.FINAL_BLOCK),
    ]
    assert burst.measure.kind is Kind.NUMBER
    assert watched.when == Member(Kind.TRUTH, "merchant_id", ("m-1", "m-2"), "watched")
    assert (watched.state, watched.bands[0].level) == (State.SHADOW, Level.ALLOW)


def test_limits_have_units():
    rules = read(
        GOOD.replace('"count_5m"', '"sum_5m"')
        .replace("= 10\n", '= "money(500)"\n')
        .replace("= 5\n  r", "= 'money(50)'\n  r")
    )
    assert [band.at_least for band in rules.rules[0].bands] == [5_000.0, 50_000.0]
    below = read(GOOD.replace("at_least = 5\n", "at_least = -0.5\n"))
    assert below.rules[0].bands[0].at_least == -0.5


def test_a_file_without_rules_is_a_file_of_no_rules():
    assert read('version = "0"').rules == ()


@pytest.mark.parametrize(
    ("old", "new", "place", "said"),
    [
        ('version = "2026-11-22"', 'version = "2026-11-22', "1:22", "Illegal character"),
        ('version = "2026-11-22"\n', "", "1:1", "version: missing; add it"),
        ('id = "burst"', 'id = "Burst!"', "7:1", "rule.1.id: 'Burst!'"),
        ("version = 3", 'version = "3"', "8:1", "rule.1.version: '3': input should be a valid integer"),
        ("history = 5", "histroy = 5", "15:1", "rule.1.histroy: no such key"),
        ('measure = "count_5m"', 'measure = "cuont_5m"', "14:12", "rule.1.measure: cuont_5m: no such name; did you mean count_5m"),
        ('channel == "card"', 'channel == "crad"', "11:12", "rule.1.when: 'crad': channel is one of card"),
        ("  and not is_credit", "  and not is_cerdit", "12:11", "rule.1.when: is_cerdit: no such name"),
        ('measure = "count_5m"', 'measure = "new_country"', "14:12", "a truth, where a length of time or a plain number or money is needed"),
        ("  at_least = 10\n", '  at_least = "money(1)"\n', "17:3", "money, but what is measured is a plain number"),
        ("  at_least = 10\n", "  at_least = inf\n", "17:3", "inf: a limit is a finite number"),
        ("  at_least = 10\n", "  at_least = nan\n", "17:3", "a limit is a finite number"),
        ("  at_least = 10\n", f"  at_least = {'9' * 400}\n", "17:3", "a limit is a finite number"),
        ("  at_least = 10\n", '  at_least = "count_1h"\n', "17:3", "a limit is a constant"),
        ("  at_least = 10\n", "  at_least = 5\n", "22:1", "another band begins at 5 too"),
        ("  at_least = 10\n", "", "16:1", "a rule that measures something needs at_least"),
        ('measure = "count_5m"\n', "", "21:1", "2 bands and nothing measured"),
        ("{value} payments in 5 minutes, the", "{valeu} payments in 5 minutes, the", "21:3", "{valeu}: no such name"),
        ("merchant {merchant_id}", "{value}", "34:1", "{value}: no such name"),
        ('action = "review"', 'action = "reject"', "25:3", "rule.1.band.2.action: 'reject': input should be 'review', 'block' or 'allow'"),
        ('action = "review"', 'action = "review"\n  overridable = false', "26:3", "only a block can be final"),
        ('id = "watched_merchant"', 'id = "burst"', "29:1", "'burst' is the id of rule 1 too"),
        ("when = 'merchant_id in watched'\n", "", "28:1", "watched_merchant: neither when nor measure"),
        ("merchant_id in watched", "merchant_id in wathced", "32:24", "wathced: no such list; did you mean watched"),
        ("watched = [", "country = [", "4:1", "country is a field of transactions"),
        ('id = "watched_merchant"', 'id = "model"', "29:1", "model is what suppressions call the model"),
        ('["m-2", "m-1", "m-2"]', "[1]", "4:1", "lists.watched.1: '1': input should be a valid string"),
        ("band = [{", "band = [{wehn = 1, ", "34:1", "rule.2.band.1.wehn: no such key"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line_and_column(old, new, place, said):
    assert old in GOOD
    with pytest.raises(RulesError) as error:
        read(GOOD.replace(old, new, 1))
    assert str(error.value).startswith(f"rules.toml:{place}: "), str(error.value)
    assert said in str(error.value)


def test_a_comparison_stands_in_the_tree_once_for_both_signs():
    text = GOOD.replace("merchant_id in watched", "5 > count_5m and count_5m < 5")
    tree = read(text)
    assert isinstance(tree.rules[1].when.operands[0], Compare)
    assert tree.rules[1].when.operands[0] == tree.rules[1].when.operands[1]


def test_headers_of_many_blanks_take_no_time():
    with pytest.raises(RulesError):
        read('version = "1"\n' + "[" + " " * 200_000 + "x ")


def test_a_number_of_thousands_of_digits_is_refused():
    with pytest.raises(RulesError, match=r"rules\.toml"):
        read(GOOD.replace("at_least = 10\n", f"at_least = {'9' * 5_000}\n"))
