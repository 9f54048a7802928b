"""Who is told of what was decided: people's overrides and suppressions, walled-off rails, and the cool-down, on the way of a transaction."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.controls.controls import Controls, Override, Suppression
from monitor.decide.by_hand import ByHand
from monitor.decide.policy import APPROVE, BLOCK, OUTCOMES, REVIEW
from monitor.rails.walled import NONE_WALLED, Walled
from monitor.state.dispositions import Disposition, Held, Lacking, is_alerted, is_withheld
from monitor.wire.columns import CHANNELS
from monitor.wire.hashing import hash_bytes
from tests.passes import SPEC, Pass, ruled_by

EVER = {"from_ms": 0, "until_ms": 2**62}
HOUR_MS = 3_600_000

RULES = """
version = "1"
[[rule]]
id = "pace"
version = 1
description = "Fast"
measure = "count_24h"
band = [
  {at_least = 2, reason_code = "fast", action = "review", text = "{value} a day"},
  {at_least = 5, reason_code = "faster", action = "block", text = "{value} a day"},
]
[[rule]]
id = "never"
version = 1
description = "Blocked whatever else is said"
when = "count_24h >= 8"
band = [{reason_code = "never", action = "block", overridable = false, text = "no"}]
"""


@pytest.fixture(scope="module")
def ruling(context):
    return ruled_by(context, RULES)


@pytest.fixture(scope="module")
def plain(records, ruling):
    """Everything that asks for an alert gets one."""
    return Pass(records, ruling, [300])


def by_hand(context, **controls):
    made = ByHand(Controls("1", **controls), lambda text: hash_bytes(text.encode(), context.hash_key))
    return replace(context, by_hand=made)


def suppression(control_id="s-1", account_id=None, rule_id=None, reason_code=None, blocks=False, **when):
    return Suppression(control_id, account_id, rule_id, reason_code, blocks, **(EVER | when))


def written(made):
    """By source offset, what is written about it in either topic."""
    both = made.alerts + made.alerts_of(made.names.withheld)
    assert len({alert["source_offset"] for alert in both}) == len(both)
    return {alert["source_offset"]: alert for alert in both}


def facts(alert):
    """What an alert says of its transaction, whoever is told."""
    left_out = ("withheld", "in_burst", "suppressed_by", "degraded", "reasons")
    return {name: value for name, value in alert.items() if name not in left_out}


@pytest.fixture(scope="module")
def busiest(plain):
    """The account with most alerts."""
    return Counter(alert["account_id"] for alert in plain.alerts).most_common(1)[0][0]


def test_a_suppressed_account_keeps_its_decisions_and_the_record_of_its_alerts(records, ruling, plain, busiest):
    made = Pass(records, by_hand(ruling, suppressions=(suppression(account_id=busiest, blocks=True),)), [300])
    assert made.decisions["outcome"].tolist() == plain.decisions["outcome"].tolist()
    before, after = written(plain), written(made)
    assert before.keys() == after.keys()
    held = made.alerts_of(made.names.withheld)
    final = [alert for alert in plain.alerts if {hit["rule_id"] for hit in alert["rule_hits"]} & {"never"}]
    assert len(held) > 5
    assert {alert["account_id"] for alert in held} == {busiest}
    assert {tuple(alert["suppressed_by"]) for alert in held} == {("s-1",)}
    told = [alert for alert in made.alerts if alert["account_id"] == busiest]
    assert {alert["source_offset"] for alert in told} == {
        alert["source_offset"] for alert in final if alert["account_id"] == busiest
    }, "a block that cannot be overridden is never withheld"
    assert all(facts(before[at]) == facts(after[at]) for at in before)
    assert all(alert["reasons"] == before[alert["source_offset"]]["reasons"] for alert in held)
    codes = made.decisions["suppression"]
    assert int((codes == Held.SUPPRESSED).sum()) == len(held)


def test_only_an_alert_that_nothing_else_asks_for_is_withheld(records, ruling, plain):
    made = Pass(records, by_hand(ruling, suppressions=(suppression(rule_id="pace"),)), [300])
    held = {alert["source_offset"] for alert in made.alerts_of(made.names.withheld)}
    lone = {
        alert["source_offset"]
        for alert in plain.alerts
        if {hit["reason_code"] for hit in alert["rule_hits"]} == {"fast"} and alert["threshold"] is None
    }
    assert held == lone
    assert len(held) > 5
    both = (suppression(rule_id="pace"), suppression("s-2", reason_code="anomaly"))
    more = Pass(records, by_hand(ruling, suppressions=both), [300])
    ids = {tuple(alert["suppressed_by"]) for alert in more.alerts_of(more.names.withheld)}
    assert ids == {("s-1",), ("s-2",), ("s-1", "s-2")}
    assert {alert["outcome"] for alert in more.alerts_of(more.names.withheld)} == {"review"}, (
        "none says that it covers blocks"
    )


def test_a_suppression_is_in_force_by_the_payments_own_time(records, ruling, plain, busiest):
    times = sorted(alert["event_time"].timestamp() * 1000 for alert in plain.alerts if alert["account_id"] == busiest)
    first, last = int(times[2]), int(times[-2])
    made = Pass(
        records,
        by_hand(ruling, suppressions=(suppression(account_id=busiest, blocks=True, from_ms=first, until_ms=last),)),
        [300],
    )
    held = [alert["event_time"].timestamp() * 1000 for alert in made.alerts_of(made.names.withheld)]
    assert min(held) == first
    assert max(held) < last


@pytest.mark.parametrize("outcome", [APPROVE, REVIEW, BLOCK])
def test_an_override_stands_above_everything_and_says_who(records, ruling, plain, busiest, outcome):
    override = Override("o-1", busiest, outcome, **EVER)
    made = Pass(records, by_hand(ruling, overrides=(override,)), [300])
    mine = np.array([record.key == busiest.encode() for record in records])
    scored = made.decisions["disposition"] == Disposition.SCORED
    assert set(made.decisions["outcome"][mine & scored].tolist()) == {outcome}
    assert made.decisions[~mine].tobytes() == plain.decisions[~mine].tobytes()
    told = [alert for alert in made.alerts if alert["account_id"] == busiest]
    assert len(told) == (0 if outcome == APPROVE else int((mine & scored).sum()))
    text = f"a person decided {OUTCOMES[outcome]} for this account (override o-1)"
    assert {alert["reasons"][0] for alert in told} <= {text}


def test_an_override_is_not_suppressed_and_ends_with_its_time(records, ruling, plain, busiest):
    times = sorted(alert["event_time"].timestamp() * 1000 for alert in plain.alerts if alert["account_id"] == busiest)
    override = Override("o-1", busiest, REVIEW, 0, int(times[3]))
    controls = {"overrides": (override,), "suppressions": (suppression(account_id=busiest, blocks=True),)}
    made = Pass(records, by_hand(ruling, **controls), [300])
    told = [alert for alert in made.alerts if alert["reasons"][0].startswith("a person decided")]
    assert told
    assert max(alert["event_time"].timestamp() * 1000 for alert in told) < times[3]
    assert len(made.alerts_of(made.names.withheld)) > 3


@pytest.mark.parametrize("outcome", [APPROVE, REVIEW, BLOCK])
def test_a_walled_rail_gets_one_outcome_and_the_others_do_not_feel_it(records, ruling, plain, outcome):
    made = Pass(records, replace(ruling, walled=Walled(frozenset({1}), outcome)), [300])
    channel = np.concatenate([decided.columns.longs[3] for _, decided in made.runs])
    scored = made.decisions["disposition"] == Disposition.SCORED
    there, final = scored & (channel == 1), plain.decisions["outcome"] == BLOCK
    assert (there & ~final).sum() > 50
    assert set(made.decisions["outcome"][there & ~final].tolist()) == {outcome}
    assert set(made.decisions["degraded"][there & ~final].tolist()) == {int(Lacking.RAIL)}
    assert set(made.decisions["outcome"][there & final].tolist()) == {BLOCK}, "a wall lets nothing through"
    assert made.decisions[~there].tobytes() == plain.decisions[~there].tobytes()
    held = made.alerts_of(made.names.withheld)
    assert len(held) == (0 if outcome == APPROVE else int((there & ~final).sum()))
    assert {tuple(alert["suppressed_by"]) for alert in held} <= {(f"rail:{CHANNELS[1]}",)}
    assert {alert["channel"] for alert in held} <= {CHANNELS[1]}
    assert all(alert["degraded"] == ["rail"] for alert in held)
    assert all("walled off" in alert["reasons"][0] for alert in held)
    assert made.decisions["score"].tobytes() == plain.decisions["score"].tobytes(), "what the model thought is recorded"


def test_a_wall_is_found_again_by_its_name():
    for walled in (NONE_WALLED, Walled(frozenset({0, 3}), BLOCK), Walled(frozenset({4}), REVIEW)):
        assert Walled.named(walled.name) == walled


@pytest.fixture(scope="module")
def cooling(records, ruling):
    return Pass(records, replace(ruling, cooldown_ms=24 * HOUR_MS), [300])


def test_a_cool_down_withholds_what_follows_and_counts_it(cooling, plain):
    held = cooling.alerts_of(cooling.names.withheld)
    assert len(held) > 5
    assert {tuple(alert["suppressed_by"]) for alert in held} == {("cool-down",)}
    assert {alert["outcome"] for alert in held} == {"review"}, "a block acts on a payment"
    before, after = written(plain), written(cooling)
    summaries = {at: alert for at, alert in after.items() if alert["outcome"] == "approve"}
    assert before.keys() == after.keys() - summaries.keys()
    assert all(facts(before[at]) == facts(after[at]) for at in before)
    left = sum(int(cooling.accounts.record(key)["withheld"]) for key in cooling.accounts)
    told = [alert for alert in cooling.alerts if alert["withheld"]]
    assert sum(alert["withheld"] for alert in told) + left == len(held)
    assert all(
        alert["reasons"][-1] == f"{alert['withheld']:,} more alerts of this account were withheld since the one before"
        for alert in told
        if alert["outcome"] != "approve"
    )
    assert any(alert["in_burst"] for alert in cooling.alerts)
    assert cooling.decisions["outcome"].tolist() == plain.decisions["outcome"].tolist()


def test_a_burst_that_is_over_is_told_by_the_next_payment_though_it_is_approved(records, ruling):
    quick = Pass(records, replace(ruling, cooldown_ms=HOUR_MS // 2), [300])
    ends = [alert for alert in quick.alerts if alert["outcome"] == "approve"]
    assert ends
    for alert in ends:
        assert alert["reasons"] == [
            f"the burst on this account is over: {alert['withheld']:,} more alerts were withheld"
        ]
        assert alert["rule_hits"] == [] or alert["withheld"] > 0
    summaries = quick.decisions["suppression"] == Held.SUMMARY
    assert int(summaries.sum()) == len(ends)
    assert set(quick.decisions["outcome"][summaries].tolist()) == {APPROVE}


def test_what_the_audit_says_of_alerts_is_what_is_in_the_topics(cooling):
    decisions = cooling.decisions
    due, held = (
        is_alerted(decisions["outcome"], decisions["suppression"]),
        is_withheld(decisions["suppression"]),
    )
    assert decisions["offset"][due].tolist() == [alert["source_offset"] for alert in cooling.alerts]
    assert decisions["offset"][held].tolist() == [
        alert["source_offset"] for alert in cooling.alerts_of(cooling.names.withheld)
    ]
    assert sum(block.alerts for block in cooling.blocks) == len(cooling.alerts)


@settings(max_examples=8)
@given(sizes=st.lists(st.integers(1, 200), min_size=1, max_size=6))
def test_however_a_stream_is_cut_into_runs_the_same_alerts_are_withheld(sizes, records, ruling):
    for cooldown_ms in (HOUR_MS, 24 * HOUR_MS):
        # accounts expire in the middle of runs
        context = replace(ruling, cooldown_ms=cooldown_ms, idle_ttl_ms=(SPEC.end_ms - SPEC.start_ms) // 6)
        whole, cut = Pass(records, context, [len(records)]), Pass(records, context, sizes)
        assert cut.decisions.tobytes() == whole.decisions.tobytes()
        assert written(cut) == written(whole)
        known = {key: value for key, value in whole.state.items() if key in cut.state}
        assert {key: cut.state[key] for key in known} == known
