"""What holds for a run: bands, history, states, and the precedence of actions."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.decide.policy import Level
from monitor.rules.rule_file import read_rules
from monitor.rules.ruleset import Engine, list_uses
from tests.unit.rules.conftest import Table


def engine(text, cells):
    return Engine(read_rules(f'version = "1"\n{text}', Path("rules.toml")), cells.hash_of)


def rule(name, when, action="review", more="", state="active"):
    return f'''
[[rule]]
id = "{name}"
version = 1
description = "a rule"
when = "{when}"
state = "{state}"
{more}
band = [{{reason_code = "{name}", action = "{action}", text = "it held"}}]
'''


BANDS = """
[[rule]]
id = "burst"
version = 1
description = "a rule"
measure = "count_5m"
band = [
  {at_least = 10, reason_code = "high", action = "block", text = "{value} of {limit}"},
  {at_least = 5, reason_code = "low", action = "review", text = "{value} of {limit}"},
]
"""


def test_the_highest_band_reached_is_the_one_that_holds(table):
    cells = table(5, count_5m=[4, 5, 9.5, 10, 99])
    found = engine(BANDS, cells).held(cells)
    assert (found.rows.tolist(), found.bands.tolist(), found.values.tolist()) == (
        [1, 2, 3, 4],
        [0, 0, 1, 1],
        [5, 9.5, 10, 99],
    )
    assert engine(BANDS, cells).levels(found, 5).tolist() == [0, 1, 1, 2, 2]


def test_what_is_unknown_is_not_applicable_and_a_young_account_has_too_little_history(table):
    cells = table(4, merchant_risk_7d=[None, 0.5, 0.5, 0.0], events_total=[9, 9, 2, 2])
    rules = engine(rule("risky", "merchant_risk_7d > 0.1", more="history = 5"), cells)
    found = rules.held(cells)
    assert found.rows.tolist() == [1]
    assert found.counts == {0: (1, 1, 1)}


def test_a_paused_rule_is_not_looked_at_and_a_shadow_one_never_acts(table):
    cells = table(2, count_5m=[1, 9])
    asked = []
    number = cells.number
    cells.number = lambda name: asked.append(name) or number(name)
    rules = engine(
        rule("off", "count_1h > 1", state="paused") + rule("try", "count_5m > 1", "block", state="shadow"), cells
    )
    found = rules.held(cells)
    assert (found.rules.tolist(), list(found.counts), asked) == ([1], [1], ["count_5m"])
    assert rules.levels(found, 2).tolist() == [Level.NOTHING, Level.NOTHING]
    assert (len(rules), rules.names) == (1, {"count_5m"})


ACTIONS = st.sampled_from([("review", ""), ("block", ""), ("allow", ""), ("block", ", overridable = false")])


@given(st.lists(st.tuples(ACTIONS, st.integers(0, 7)), max_size=6))
def test_of_all_that_holds_the_highest_is_done_a_final_block_before_an_allow_before_a_block_before_a_review(
    given_rules,
):
    cells = Table(8, {"count_5m": range(8)})
    text = "".join(
        rule(f"r{at}", f"count_5m >= {least}", action).replace('text = "it held"', f'text = "it held"{final}')
        for at, ((action, final), least) in enumerate(given_rules)
    )
    rules = engine(text, cells)
    found = rules.levels(rules.held(cells), 8).tolist()
    order = {("review", ""): 1, ("block", ""): 2, ("allow", ""): 3, ("block", ", overridable = false"): 4}
    assert found == [max([order[what] for what, least in given_rules if row >= least], default=0) for row in range(8)]


def test_all_that_holds_for_a_row_is_found_in_the_order_of_the_file(table):
    cells = table(3, count_5m=[0, 5, 9])
    rules = engine(rule("first", "count_5m > 7") + rule("second", "count_5m > 1") + BANDS, cells)
    found = rules.held(cells)
    assert [each[:2] for each in found.of_row(2)] == [(0, 0), (1, 0), (2, 0)]
    assert [each[0] for each in found.of_row(1)] == [1, 2]
    assert list(found.of_row(0)) == []


@pytest.mark.parametrize("n", [0, 3])
def test_constants_and_empty_runs_are_no_special_case(table, n):
    cells = table(n)
    rules = engine(rule("always", "1 < 2") + BANDS.replace('"count_5m"', '"3 * 2"'), cells)
    assert rules.held(cells).rows.size == 2 * n
    assert np.array_equal(rules.levels(rules.held(cells), n), np.ones(n))


LISTS = """
version = "1"
[lists]
sanctioned = []
watched = ["m-1"]
[[rule]]
id = "sanctioned"
version = 1
description = "a rule"
when = "country in sanctioned or not (merchant_id not in watched)"
band = [{reason_code = "x", action = "block", text = "it held"}]
"""


def test_lists_have_words_of_the_file_and_words_from_elsewhere(table):
    cells = table(4, country=["KP", "DE", None, "DE"], merchant_id=["m-9", "m-1", "m-2", None])
    rules = read_rules(LISTS, Path("rules.toml"))

    def rows(**lists):
        return Engine(rules, cells.hash_of, lists).held(cells).rows.tolist()

    assert rows() == [1]
    assert rows(sanctioned=("KP",)) == [0, 1]
    assert rows(watched=("m-1", "m-2"), elsewhere=("DE",)) == [1, 2]


def test_it_is_known_which_field_a_list_is_looked_up_for():
    rules = read_rules(LISTS, Path("rules.toml"))
    assert list_uses(rules) == {"sanctioned": {"country"}, "watched": {"merchant_id"}}
    paused = read_rules(LISTS.replace("version = 1", 'version = 1\nstate = "paused"'), Path("rules.toml"))
    assert list_uses(paused) == {}
