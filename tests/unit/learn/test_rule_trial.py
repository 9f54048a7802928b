"""Rules tried on the past decide what they decide live, all of it, and the figures are what can be counted by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from monitor.errors import DatasetError
from monitor.learn.play import play
from monitor.learn.rule_trial import Judge, trial
from monitor.learn.sources import simulated
from monitor.risk.book import Book
from monitor.rules.rule_file import read_rules
from monitor.rules.ruleset import RuleSet
from monitor.scoring.artifact import load_model
from monitor.settings import load_settings
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate
from tests.one_run import decided_at_once, deciding_at, records_of

ROOT = Path(__file__).parents[3]
SPEC = SimulationSpec(seed=8, transactions=6_000, accounts=60, duplicates=0.02, fraud_share=0.03)
A_DAY = 40


@pytest.fixture(scope="module")
def rules():
    path = ROOT / "examples" / "rules.toml"
    text = path.read_text().replace('state = "shadow"', 'state = "active"').replace("at_least = 5", "at_least = 2")
    return read_rules(text.replace('["IR", "KP", "SY"]', '["FR", "IT"]'), path)


@pytest.fixture(scope="module")
def model():
    return load_model(load_settings(environ={}).models_dir)


def test_the_past_and_the_present_decide_the_same(rules, model, exchange):
    judge, past = Judge(rules, model, Book()), []
    for played in play(simulated(generate(SPEC)), exchange):
        past += judge.decided(played).outcomes.tolist()
    deciding, records = deciding_at(SPEC), records_of(SPEC)
    context = replace(deciding.for_records(records), rules=deciding.engine_of(rules))
    _, live = decided_at_once(records, context, SPEC)
    assert past == live.outcomes.tolist()
    assert np.unique(live.outcomes).size == 3
    assert (live.settled.ruled.levels > 0).sum() > 50


def test_figures_are_those_counted_by_hand(rules, model, exchange):
    found = trial(rules, simulated(generate(SPEC)), exchange, model, Book())
    judge, held, fraud, asked = Judge(rules, model, Book()), [], [], []
    for played in play(simulated(generate(SPEC)), exchange):
        _, modelled, each, _ = judge.decided(played)
        rows = np.zeros((len(played.part), len(rules.rules)), bool)
        rows[each.hits.rows, each.hits.rules] = True
        held += rows[played.scored].tolist()
        fraud += played.part.fraud[played.scored].tolist()
        asked += (modelled[played.scored] > 0).tolist()
    assert found.transactions == len(held)
    assert found.fraud == sum(fraud)
    for place, figures in enumerate(found.rules):
        mine = [row[place] for row in held]
        assert figures.hits == sum(mine) == sum(figures.by_band.values())
        assert figures.fraud == sum(a and b for a, b in zip(mine, fraud, strict=True))
        assert figures.also_model == sum(a and b for a, b in zip(mine, asked, strict=True))
        alone = [a and not b and sum(row) == 1 for a, b, row in zip(mine, asked, held, strict=True)]
        assert figures.alone == sum(alone)
        for other in range(len(rules.rules)):
            assert found.overlap[place][other] == sum(row[place] and row[other] for row in held)
    assert sum(figures.hits > 0 for figures in found.rules) >= 3
    assert found.model_alone["review"] + found.model_alone["block"] == sum(asked)


def test_a_past_without_payments_is_an_error(exchange):
    with pytest.raises(DatasetError, match="none that can be scored"):
        trial(RuleSet(), [], exchange, None, Book())


def test_no_rules_change_nothing(model, exchange):
    found = trial(RuleSet("0"), simulated(generate(SPEC)), exchange, model, Book())
    assert (found.outcomes, found.rules, found.overlap) == (found.model_alone, (), ())


def test_with_the_threshold_of_an_alert_budget_model_and_rules_keep_it_together(rules, model, exchange):
    first = trial(rules, simulated(generate(SPEC)), exchange, model, Book(), alerts_a_day=A_DAY)
    found = first.budget
    assert replace(first, budget=None) == trial(rules, simulated(generate(SPEC)), exchange, model, Book())
    assert first.fraud_alerted == round(found.present_recall * first.fraud)
    other = replace(model, review_threshold=found.review_threshold, block_threshold=1.0)
    after = trial(rules, simulated(generate(SPEC)), exchange, other, Book())
    alerts = after.outcomes["review"] + after.outcomes["block"]
    assert alerts == round((found.rules_a_day + found.model_a_day) * first.days)
    assert A_DAY * first.days - 1 < alerts <= A_DAY * first.days
    assert after.fraud_alerted == round(found.recall * first.fraud)


def test_alerts_a_day_of_no_model_are_an_error(rules, exchange):
    with pytest.raises(DatasetError, match="alerts a day 5: there is no model"):
        trial(rules, simulated(generate(SPEC)), exchange, None, Book(), alerts_a_day=5)
