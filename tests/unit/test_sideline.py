"""The sideline: a candidate and samples of vectors see what was decided, nobody who decides hears of them, and their failures stay their own."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from monitor.candidate import Candidate, judged
from monitor.decide.policy import OUTCOMES, outcomes
from monitor.effects.shadow import read_shadow
from monitor.features.catalogue import INDEX
from monitor.risk.book import Book, Entities, Snapshot
from monitor.risk.figures import FIGURES
from monitor.rules.rule_file import read_rules
from monitor.rules.ruleset import Engine
from monitor.scoring.model import Part
from monitor.scoring.risk_rule import RiskRule
from monitor.scoring.scale import scale_of
from monitor.served_vectors import ServedVectors, read_vectors
from monitor.shadow_rules import ShadowRules
from monitor.sideline import MOST_WAITING, Sideline, Watched
from monitor.simulate.spec import SimulationSpec
from monitor.wire.columns import ACCOUNT_ID
from monitor.wire.our_records import read_record
from monitor.wire.records import Spans
from tests.installation import wait_until
from tests.one_run import decided_at_once, deciding_at, records_of

SPEC = SimulationSpec(seed=23, transactions=1_500, accounts=25, duplicates=0.03)


@pytest.fixture(scope="module")
def watched():
    """A run, decided by the shipped model."""
    records = records_of(SPEC)
    context = deciding_at(SPEC).for_records(records)
    run, decided = decided_at_once(records, context, SPEC, partition=3)
    return Watched(run, "i", decided, context)


@pytest.fixture(scope="module")
def candidate(watched):
    """The same forest with other thresholds."""
    scores = watched.decided.scores[~np.isnan(watched.decided.scores)]
    low, high = np.quantile(scores, [0.9, 0.99]).tolist()
    return replace(watched.context.model, version="next", seal="cd" * 32, review_threshold=low, block_threshold=high)


class Heard(list):
    def watched(self, name, result, records, seconds):
        self.append((name, result, records))


class Writer:
    """Calls a function for each record, and counts flushes."""

    def __init__(self, write):
        self.write, self.flushed = write, 0

    def flush(self):
        self.flushed += 1


def watching(model):
    made = Candidate("shadow", 5)
    made.model = model
    return made


def test_a_block_says_what_both_thought_of_each_scored_record(watched, candidate):
    block = judged(candidate, watched)
    scored = ~np.isnan(watched.decided.scores)
    assert block.offsets.tolist() == np.flatnonzero(scored).tolist()
    assert block.candidate_scores.tobytes() == watched.decided.scores[scored].astype(np.float32).tobytes()
    assert block.champion_outcomes.tolist() == watched.decided.outcomes[scored].tolist()
    assert block.candidate_outcomes.tolist() == outcomes(watched.decided.scores[scored], candidate).tolist()
    assert len(block.alerts) == ((block.champion_outcomes > 0) | (block.candidate_outcomes > 0)).sum() > 100
    assert (block.champion, block.candidate, block.partition) == (watched.context.model.version, "next", 3)


def test_a_candidate_that_looks_at_risk_finds_it_though_the_champion_does_not(watched, candidate):
    beside = Part("risk", RiskRule(1), ("place_risk_3d",), np.zeros((2, 1)), scale_of({0.0: 0.0, 1.0: 1.0}))
    risky = replace(candidate, parts=(*candidate.parts, beside), percentiles=None)
    without = judged(risky, watched)
    assert without.candidate_scores.tobytes() == judged(candidate, watched).candidate_scores.tobytes()
    nobody = Entities.of(Spans.of([]), np.zeros((0, len(FIGURES)), np.int64))
    book = Book.of(
        [
            Snapshot(
                "s",
                0,
                1 << 60,
                0,
                (nobody, nobody, Entities.of(Spans.of([b"DE/5411"]), np.full((1, len(FIGURES)), 97))),
            )
        ]
    )
    block = judged(risky, replace(watched, context=replace(watched.context, risk=book)))
    raised = block.candidate_scores == np.float32(0.97)
    assert 0 < raised.sum() < len(raised)


def test_runs_offered_are_written_in_order_and_counted(watched, candidate):
    written, heard, watcher = [], Heard(), watching(None)
    writer = Writer(written.append)
    sideline = Sideline([watcher], writer, heard)
    sideline.offer(watched)
    assert not heard, "nobody looks"
    watcher.model = candidate
    for _ in range(3):
        sideline.offer(watched)
    wait_until(lambda: len(heard) == 3, 30, lambda: str(heard))
    sideline.stop()
    assert writer.flushed == 1
    assert heard == [("candidate", "recorded", 1_500)] * 3
    assert {(each.topic, each.key) for each in written} == {("shadow", b"3")}
    assert read_shadow(written[0].value).candidate == "next"
    watcher.model = None
    sideline.offer(watched)
    assert len(heard) == 3


def test_who_falls_behind_misses_runs_and_holds_nothing_up(watched, candidate):
    heard, gate = Heard(), threading.Event()
    sideline = Sideline([watching(candidate)], Writer(lambda _aside: gate.wait(30)), heard)
    for _ in range(2 * MOST_WAITING):
        sideline.offer(watched)
    assert ("candidate", "dropped", 1_500) in heard
    gate.set()
    wait_until(lambda: sum(each[1] == "recorded" for each in heard) >= MOST_WAITING, 60, lambda: str(heard))
    sideline.stop()


def test_what_goes_wrong_is_counted_and_the_next_run_is_tried(watched, candidate):
    heard, failing = Heard(), [OSError("broker away"), BufferError("full")]

    def write(_aside):
        if failing:
            raise failing.pop()

    sideline = Sideline([watching(candidate)], Writer(write), heard)
    for _ in range(3):
        sideline.offer(watched)
    wait_until(lambda: len(heard) == 3, 30, lambda: str(heard))
    sideline.stop()
    assert [result for _, result, _ in heard] == ["failed", "failed", "recorded"]


def test_one_watchers_failure_is_not_anothers(watched, candidate):
    written, heard = [], Heard()

    class Broken:
        name, looks = "broken", True

        def see(self, _watched):
            raise ValueError("no")

    sideline = Sideline([Broken(), watching(candidate)], Writer(written.append), heard)
    sideline.offer(watched)
    wait_until(lambda: len(heard) == 2, 30, lambda: str(heard))
    sideline.stop()
    assert heard == [("broken", "failed", 1_500), ("candidate", "recorded", 1_500)]


def test_vectors_are_those_of_whole_accounts_as_they_were_served(watched):
    aside = ServedVectors("vectors", 6, 3).see(watched)
    vectors = read_vectors(aside.value)
    columns, decided = watched.decided.columns, watched.decided
    assert vectors.features.tobytes() == decided.features[vectors.offsets].tobytes()
    accounts = [columns.text(ACCOUNT_ID, row) for row in range(len(columns))]
    sampled = {accounts[row] for row in vectors.offsets.tolist()}
    assert 1 < len(sampled) < len(set(accounts))
    scored = np.flatnonzero(~np.isnan(decided.scores))
    assert vectors.offsets.tolist() == [row for row in scored.tolist() if accounts[row] in sampled]
    assert not ServedVectors("vectors", 6, 0).looks
    assert ServedVectors("vectors", 6, 1 << 62).see(watched) is None


@pytest.mark.parametrize("value", [b"", b"\0\0\0\0\6", b"\0\0\0\0\6garbage"])
def test_what_is_no_block_of_vectors_is_refused(value):
    with pytest.raises(ValueError, match="not a record of vectors-block"):
        read_vectors(value)


def test_what_rules_in_shadow_would_have_done_is_written_with_what_was_done(watched):
    text = (
        'version = "r"\n[[rule]]\nid = "acts"\nversion = 1\ndescription = "d"\nwhen = "amount > money(1)"\n'
        'band = [{reason_code = "acts", action = "review", text = "x"}]\n'
        '[[rule]]\nid = "tried"\nversion = 4\ndescription = "d"\nmeasure = "count_24h"\nstate = "shadow"\n'
        'band = [{at_least = 2, reason_code = "tried", action = "block", text = "x"}]\n'
    )
    rules = read_rules(text, Path("rules.toml"))
    watcher = ShadowRules("rule-hits", 7)
    assert not watcher.looks
    watcher.rules = rules
    assert watcher.looks
    context = replace(watched.context, rules=Engine(rules, lambda _word: 1))
    _, decided = decided_at_once(watched.run.records, context, SPEC, partition=3)
    run = replace(watched, decided=decided, context=context)
    block = read_record("rule-hits-block.avsc", watcher.see(run).value)
    counts = decided.features[:, INDEX["count_24h"]]
    expected = np.flatnonzero((decided.dispositions == 0) & (counts >= 2))
    assert [hit["offset"] for hit in block["hits"]] == expected.tolist() != []
    assert [hit["value"] for hit in block["hits"]] == counts[expected].tolist()
    assert [hit["outcome"] for hit in block["hits"]] == [OUTCOMES[each] for each in decided.outcomes[expected].tolist()]
    assert {(hit["rule_id"], hit["rule_version"], hit["action"]) for hit in block["hits"]} == {("tried", "4", "block")}
    assert (block["rules"], block["partition"], block["first_offset"]) == ("r", 3, 0)
    assert watcher.see(watched) is None, "the rules of that run had none in shadow"


def test_rules_that_look_at_the_score_see_the_candidates(watched, candidate):
    text = (
        'version = "r"\n[[rule]]\nid = "calm"\nversion = 1\ndescription = "d"\nwhen = "anomaly_score < 2"\n'
        'band = [{reason_code = "calm", action = "allow", text = "x"}]\n'
    )
    engine = Engine(read_rules(text, Path("rules.toml")), lambda _word: 1)
    block = judged(candidate, replace(watched, context=replace(watched.context, rules=engine)))
    assert set(block.candidate_outcomes.tolist()) == {0}
    assert set(judged(candidate, watched).candidate_outcomes.tolist()) == {0, 1, 2}
