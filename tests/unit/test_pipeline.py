"""The way of a transaction as a whole: on simulated transactions, good and spoilt, and on whatever bytes hypothesis thinks of."""

import io
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import fastavro
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.decide.policy import APPROVE, BLOCK, NEVER, OUTCOMES, REVIEW, combined, outcomes
from monitor.effects.alert_ids import alert_id
from monitor.effects.alerts import alert_schema
from monitor.effects.audit import position_of, verify_block
from monitor.effects.block import read_block
from monitor.effects.changelog import changelog_tail
from monitor.errors import StateAheadError
from monitor.features.catalogue import INDEX
from monitor.pipeline import decide_run
from monitor.risk.book import Book, Entities, Snapshot
from monitor.risk.figures import FIGURES, FRAUDS_3D, PAYMENTS_3D
from monitor.rules.rule_file import read_rules
from monitor.rules.ruleset import Engine
from monitor.scoring.model import Part, feature_set_of, features_of
from monitor.scoring.risk_rule import RiskRule
from monitor.scoring.scale import scale_of
from monitor.simulate.messages import schema_text
from monitor.simulate.stream import generate
from monitor.stages import Stage
from monitor.state.accounts import Accounts
from monitor.state.dispositions import Disposition, Held, Lacking
from monitor.state.forgetting import remembered
from monitor.wire.framing import HEADER_BYTES, frame
from monitor.wire.records import Record, Records, Run, Spans
from tests.passes import FEATURES, PARTITION, SPEC, SPEC_SPAN_MS, Pass, begin, ruled_by


def test_the_stream_has_something_of_every_kind(whole):
    found = Counter(whole.decisions["disposition"].tolist())
    assert min(found[kind] for kind in (Disposition.SCORED, Disposition.DUPLICATE, Disposition.REJECTED)) > 10
    assert {alert["outcome"] for alert in whole.alerts} == {"review", "block"}


def test_the_same_run_on_the_same_state_gives_the_same_bytes(records, context, whole):
    again = Pass(records, context, [len(records)])
    assert again.messages == whole.messages
    assert again.position == whole.position
    assert again.state == whole.state


@settings(max_examples=12)
@given(sizes=st.lists(st.integers(1, 500), min_size=1, max_size=6))
def test_however_a_stream_is_cut_into_runs_it_decides_the_same(sizes, records, context, whole):
    pieces = Pass(records, context, sizes)
    assert pieces.decisions.tobytes() == whole.decisions.tobytes()
    assert b"".join(block.transaction_ids for block in pieces.blocks) == whole.blocks[0].transaction_ids
    assert pieces.state == whole.state
    for topic in (whole.names.alerts, whole.names.dlq):
        assert pieces.of(topic) == whole.of(topic)
    previous = pieces.begins
    for block in pieces.blocks:
        verify_block(block, previous)
        previous = position_of(block)
    assert previous.last_offset == whole.position.last_offset
    assert pieces.position == previous


def test_what_the_changelog_holds_is_the_state(records, context, whole):
    pieces, loaded = Pass(records, context, [97]), Accounts()
    for message in pieces.of(context.names.changelog):
        assert message.partition == PARTITION
        loaded.load(message.key, message.value)
    keys = list(loaded)
    assert (
        dict(zip(keys, loaded.values(loaded.slots(Spans.of(keys), np.ones(len(keys), bool))), strict=True))
        == whole.state
    )


@pytest.fixture(scope="module")
def forgetful(context):
    """With a time to live so short that accounts are forgotten all the time."""
    return replace(context, idle_ttl_ms=SPEC_SPAN_MS // 60, sweep_at_least=0)


@settings(max_examples=10)
@given(sizes=st.lists(st.integers(1, 300), min_size=1, max_size=6), sweep=st.sampled_from([0, 1, 64, 10**6]))
def test_when_forgotten_accounts_leave_memory_changes_no_decision(sizes, sweep, records, forgetful):
    whole = Pass(records, forgetful, [len(records)])
    pieces = Pass(records, replace(forgetful, sweep_at_least=sweep), sizes)
    assert pieces.decisions.tobytes() == whole.decisions.tobytes()
    assert np.concatenate([d.features for _, d in pieces.runs]).tobytes() == whole.runs[0][1].features.tobytes()
    for topic in (whole.names.alerts, whole.names.dlq):
        assert pieces.of(topic) == whole.of(topic)
    watermark, ttl = whole.position.watermark_ms, forgetful.idle_ttl_ms
    assert pieces.position.watermark_ms == watermark
    assert remembered(pieces.state, watermark, ttl) == remembered(whole.state, watermark, ttl)
    loaded = Accounts()
    written = pieces.of(forgetful.names.changelog)
    loaded.load_many([m.key for m in written], [m.value for m in written])
    keys = list(loaded)
    assert (
        dict(zip(keys, loaded.values(loaded.slots(Spans.of(keys), np.ones(len(keys), bool))), strict=True))
        == pieces.state
    )


def test_a_forgotten_account_gets_a_tombstone_in_front_of_the_records_of_its_run(records, forgetful):
    done, dropped = Pass(records, replace(forgetful, sweep_at_least=64), [40]), 0
    for (_, decided), block in zip(done.runs, done.blocks, strict=True):
        changelog = [m for m in decided.messages if m.topic == forgetful.names.changelog]
        tombstones = [m for m in changelog if m.value is None]
        assert changelog[: len(tombstones)] == tombstones
        assert not {m.key for m in tombstones} & {m.key for m in changelog[len(tombstones) :]}
        assert (decided.swept, block.changelog_records) == (len(tombstones), len(changelog))
        if changelog:
            assert block.changelog_tail == changelog_tail(changelog[-1].key, changelog[-1].value)
        dropped += decided.swept
    assert dropped > 10
    assert len(done.accounts) < len(Pass(records, forgetful, [40]).accounts)


def test_a_run_that_writes_no_record_writes_no_tombstone(records, forgetful, whole):
    sweeping = replace(forgetful, sweep_at_least=10**6, idle_ttl_ms=1)
    kept = Pass(records[:200], replace(sweeping, sweep_at_least=0), [200])
    rejected = records[int(np.flatnonzero(whole.runs[0][1].reasons)[0])]
    run = Run("transactions", PARTITION, 199, Records.of([replace(rejected, offset=200)]))
    decided = decide_run(run, kept.accounts, kept.position, sweeping, SPEC.end_ms)
    assert [m for m in decided.messages if m.topic == forgetful.names.changelog] == []
    assert decided.position.changelog_tail == kept.position.changelog_tail


def test_only_accounts_that_a_run_touched_are_written_and_each_once(records, context):
    for run, decided in Pass(records, context, [3, 1, 40]).runs:
        admitted = {r.key for r, reason in zip(run.records, decided.reasons, strict=True) if not reason}
        written = [message.key for message in decided.messages if message.topic == context.names.changelog]
        assert len(written) == len(set(written))
        assert set(written) == admitted


def test_counts_of_every_block_add_up_to_what_is_beside_it(records, context):
    done = Pass(records, context, [150])
    for (run, decided), block in zip(done.runs, done.blocks, strict=True):
        topics = Counter(message.topic for message in decided.messages)
        assert block.records == len(run.records) == block.scored + block.duplicates + block.dead_letters
        assert block.dead_letters == topics[context.names.dlq]
        assert block.alerts == topics[context.names.alerts] == decided.alert_outcomes.size
        assert topics[context.names.audit] == 1


def test_decisions_stand_in_the_order_of_the_offsets_also_over_honest_gaps(records, context):
    gappy = [replace(record, offset=record.offset * 3 + 5) for record in records[:90]]
    done = Pass(gappy, context, [40])
    assert done.decisions["offset"].tolist() == [record.offset for record in gappy]
    assert [(block.first_offset, block.last_offset) for block in done.blocks] == [(0, 122), (123, 242), (243, 272)]
    assert done.position.last_offset == gappy[-1].offset


def test_a_rejected_record_is_dead_lettered_as_it_came_and_builds_no_state(records, context, whole):
    rejected = [records[offset] for offset in np.flatnonzero(whole.runs[0][1].reasons)]
    letters = whole.of(context.names.dlq)
    assert [(letter.key, letter.value) for letter in letters] == [(record.key, record.value) for record in rejected]
    assert [dict(letter.headers)["__connect.errors.offset"] for letter in letters] == [
        str(record.offset).encode() for record in rejected
    ]
    only = Pass([replace(record, offset=at) for at, record in enumerate(rejected)], context, [1_000])
    assert only.state == {}
    assert only.of(context.names.changelog) == only.of(context.names.alerts) == []


def test_an_alert_repeats_the_facts_of_its_transaction(records, context, whole):
    schema = fastavro.parse_schema(json.loads(schema_text("transaction")))
    thresholds = {"review": context.model.review_threshold, "block": context.model.block_threshold}
    decided = whole.runs[0][1]
    assert len(whole.alerts) > 10
    for message, alert in zip(whole.of(context.names.alerts), whole.alerts, strict=True):
        offset = alert["source_offset"]
        sent = fastavro.schemaless_reader(io.BytesIO(records[offset].value[HEADER_BYTES:]), schema, None)
        for field in ("transaction_id", "account_id", "event_time", "amount_minor", "currency", "channel"):
            assert alert[field] == sent[field], field
        assert message.key == records[offset].key == alert["account_id"].encode()
        assert (alert["source_topic"], alert["source_partition"]) == ("transactions", PARTITION)
        assert str(alert["alert_id"]) == alert_id("topic-id", PARTITION, offset)
        assert str(alert["alert_id"]) == dict(message.headers)["ce_id"].decode()
        assert alert["outcome"] == OUTCOMES[decided.outcomes[offset]]
        assert alert["anomaly_score"] == decided.scores[offset] >= thresholds[alert["outcome"]] == alert["threshold"]
        assert alert["model_version"] == "small"
        assert {each["feature"] for each in alert["attributions"]} <= set(FEATURES)


def test_an_outcome_is_what_the_thresholds_make_of_the_score(context, whole):
    decided = whole.runs[0][1]
    expected = np.where(decided.scores >= context.model.review_threshold, REVIEW, APPROVE)
    expected[decided.scores >= context.model.block_threshold] = BLOCK
    assert (decided.outcomes == expected).all()
    assert (np.isnan(decided.scores) == (decided.dispositions != Disposition.SCORED)).all()


def test_without_a_model_everything_is_approved_and_says_so(records, unscored, whole):
    blind = Pass(records, unscored, [300])
    assert set(blind.decisions["outcome"]) == {APPROVE}
    assert set(blind.decisions["degraded"]) == {Lacking.MODEL}
    assert np.isnan(blind.decisions["score"]).all()
    assert blind.alerts == []
    assert set(whole.decisions["degraded"]) == {0}
    assert blind.state == whole.state, "the state does not depend on the model"


RULES = """
version = "r-1"
[[rule]]
id = "large"
version = 2
description = "Large for the account"
when = "amount_ratio > 2"
band = [{reason_code = "large", action = "review", text = "{amount} by {channel} of {account_id}"}]
[[rule]]
id = "pace"
version = 1
description = "Fast"
measure = "count_24h"
band = [
  {at_least = 3, reason_code = "fast", action = "review", text = "{value} a day, {limit} is the limit"},
  {at_least = 6, reason_code = "faster", action = "block", text = "{value} a day"},
]
[[rule]]
id = "never"
version = 1
description = "Blocked whatever else is said"
when = "count_24h >= 8"
band = [{reason_code = "never", action = "block", overridable = false, text = "no"}]
[[rule]]
id = "ours"
version = 1
description = "Lifted"
when = "count_24h >= 7"
band = [{reason_code = "ours", action = "allow", text = "ours"}]
[[rule]]
id = "tried"
version = 1
description = "Everything, in shadow"
when = "amount >= money(0)"
state = "shadow"
band = [{reason_code = "tried", action = "block", text = "x"}]
"""


@pytest.fixture(scope="module")
def ruling(context):
    return ruled_by(context, RULES)


@pytest.fixture(scope="module")
def ruled(records, ruling):
    return Pass(records, ruling, [300])


def test_rules_and_model_decide_together_by_precedence(records, ruled, whole):
    decided = [run for _, run in ruled.runs]
    count = np.concatenate([run.features[:, INDEX["count_24h"]] for run in decided])
    ratio = np.concatenate([run.features[:, INDEX["amount_ratio"]] for run in decided])
    scored = ruled.decisions["disposition"] == Disposition.SCORED
    expected = whole.decisions["outcome"].copy()
    expected[scored & ((ratio > 2) | (count >= 3))] = np.maximum(expected, REVIEW)[
        scored & ((ratio > 2) | (count >= 3))
    ]
    expected[scored & (count >= 6)] = BLOCK
    expected[scored & (count >= 7)] = APPROVE
    expected[scored & (count >= 8)] = BLOCK
    assert ruled.decisions["outcome"].tolist() == expected.tolist()
    assert {APPROVE, REVIEW, BLOCK} == set(expected[scored & (count >= 3)].tolist())
    assert ruled.decisions["score"].tobytes() == whole.decisions["score"].tobytes()
    assert ruled.state == whole.state, "the state does not depend on rules"


def test_an_alert_says_all_rules_that_held_the_strongest_first_and_then_the_model(ruled, whole):
    modelled = {alert["source_offset"]: alert for alert in whole.alerts}
    assert len(ruled.alerts) > len(modelled)
    by_rules = 0
    for alert in ruled.alerts:
        hits, reasons = alert["rule_hits"], alert["reasons"]
        assert reasons[: len(hits)] == [hit["text"] for hit in hits]
        assert "tried" not in {hit["rule_id"] for hit in hits}, "a shadow rule is in no alert"
        order = ["never", "ours", "faster", "fast", "large"]
        assert sorted((hit["reason_code"] for hit in hits), key=order.index) == [
            *(code for code in order if code in {hit["reason_code"] for hit in hits})
        ]
        theirs = modelled.get(alert["source_offset"])
        if theirs is None:
            by_rules += 1
            assert alert["threshold"] is None
            assert len(reasons) == len(hits) > 0
        else:
            assert alert["threshold"] == theirs["threshold"]
            assert reasons[len(hits) :] == theirs["reasons"]
        assert alert["anomaly_score"] is not None
        assert alert["attributions"]
    assert by_rules > 5
    large = next(hit for alert in ruled.alerts for hit in alert["rule_hits"] if hit["rule_id"] == "large")
    alert = next(alert for alert in ruled.alerts if large in alert["rule_hits"])
    assert (large["rule_version"], large["action"]) == ("2", "review")
    assert large["text"].endswith(f" by {alert['channel']} of {alert['account_id']}")
    fast = {hit["text"] for alert in ruled.alerts for hit in alert["rule_hits"] if hit["reason_code"] == "fast"}
    assert "3 a day, 3 is the limit" in fast


def test_however_a_stream_is_cut_into_runs_rules_hold_the_same(records, ruling, ruled):
    other = Pass(records, ruling, [1, 70, 7])
    assert other.decisions.tobytes() == ruled.decisions.tobytes()
    without = [{**alert, "detected_at": 0} for alert in other.alerts]
    assert without == [{**alert, "detected_at": 0} for alert in ruled.alerts]


def test_without_a_model_rules_decide_alone_and_alerts_say_so(records, ruling):
    alone = Pass(records, replace(ruling, model=None), [300])
    assert set(alone.decisions["outcome"]) == {APPROVE, REVIEW, BLOCK}
    assert set(alone.decisions["degraded"]) == {Lacking.MODEL}
    for alert in alone.alerts:
        assert (alert["anomaly_score"], alert["threshold"], alert["model_version"]) == (None, None, "")
        assert alert["degraded"] == ["model"]
        assert alert["reasons"] == [hit["text"] for hit in alert["rule_hits"]] != []
        assert alert["attributions"] == []


def test_rules_that_were_refused_are_missing_and_that_is_said(records, context, whole):
    bare = Pass(records, replace(context, rules=None), [300])
    assert bare.decisions["outcome"].tobytes() == whole.decisions["outcome"].tobytes()
    assert set(bare.decisions["degraded"]) == {Lacking.RULES}
    assert {tuple(alert["degraded"]) for alert in bare.alerts} == {("rules",)}


def test_a_run_that_comes_late_loses_explanations_and_no_decision(records, ruling, ruled):
    late = [replace(record, timestamp=SPEC.end_ms - 75_900 + record.offset % 2 * 70_000) for record in records]
    made = Pass(late, replace(ruling, explaining=False), [400])
    for field in ("offset", "score", "disposition", "outcome", "reason", "flags", "suppression"):
        assert made.decisions[field].tobytes() == ruled.decisions[field].tobytes(), field
    assert set(made.decisions["degraded"]) == {Lacking.EXPLANATIONS}
    assert made.state == ruled.state
    assert len(made.alerts) == len(ruled.alerts)
    modelled = 0
    for alert, whole in zip(made.alerts, ruled.alerts, strict=True):
        assert alert["degraded"] == ["explanations"]
        assert alert["attributions"] == []
        by_rules = [hit["text"] for hit in whole["rule_hits"]]
        says = [f"explanation left out: decided {5 if alert['source_offset'] % 2 else 75} s late"]
        asked = len(whole["reasons"]) > len(by_rules)  # the model would have alerted by itself
        assert alert["reasons"] == by_rules + says * asked
        modelled += asked
        changed = ("degraded", "attributions", "reasons")
        assert {name: alert[name] for name in alert if name not in changed} == {
            name: whole[name] for name in whole if name not in changed
        }
    assert 5 < modelled < len(made.alerts)


def test_without_model_and_explanations_rules_speak_alone(records, ruling):
    alone = Pass(records, replace(ruling, model=None, explaining=False), [300])
    assert set(alone.decisions["degraded"]) == {Lacking.MODEL | Lacking.EXPLANATIONS}
    assert {tuple(alert["degraded"]) for alert in alone.alerts} == {("model", "explanations")}
    assert all(alert["reasons"] == [hit["text"] for hit in alert["rule_hits"]] for alert in alone.alerts)


@settings(max_examples=40)
@given(
    field=st.sampled_from(["amount_mean", "amount_variance", "gap_mean", "tile_max"]),
    number=st.one_of(st.sampled_from([np.nan, np.inf, -np.inf]), st.floats()),
)
def test_what_is_no_number_in_an_account_is_never_scored_never_raises_and_is_marked(field, number, records, ruling):
    accounts, half = Accounts(), len(records) // 2
    first = Run("transactions", PARTITION, -1, Records.of(records[:half]))
    position = decide_run(first, accounts, begin(), ruling, SPEC.end_ms).position
    with np.errstate(over="ignore"):
        accounts.records[field] = number
    run = Run("transactions", PARTITION, half - 1, Records.of(records[half:]))
    decided = decide_run(run, accounts, position, ruling, SPEC.end_ms)
    decisions = read_block(decided.messages[-1].value).decisions
    assert not np.isinf(decided.features).any()
    scored = decisions["disposition"] == Disposition.SCORED
    numbers = np.isfinite(decided.features[:, [INDEX[name] for name in FEATURES]]).all(axis=1)
    assert (np.isfinite(decided.scores) == (scored & numbers)).all()
    assert ((decisions["degraded"] & Lacking.RISK != 0) == (scored & ~numbers)).all()
    alone = outcomes(decided.scores, NEVER)
    assert (decided.outcomes == combined(alone, decided.settled.ruled.levels))[~numbers].all()
    if not np.isfinite(number) and field == "amount_mean":
        assert (scored & ~numbers).any()
    told = [message for message in decided.messages if message.topic == ruling.names.alerts]
    for message in told:
        alert = fastavro.schemaless_reader(io.BytesIO(message.value[HEADER_BYTES:]), alert_schema(), None)
        assert not any(word in text.split() for text in alert["reasons"] for word in ("nan", "inf", "-inf"))


def test_a_rule_that_looks_at_risk_finds_it_though_the_model_does_not(records, context, risky):
    book, merchant, middle = risky[0].risk, risky[1], risky[2]
    text = 'version = "1"\n[[rule]]\nid = "r"\nversion = 1\ndescription = "d"\nwhen = "merchant_risk_3d > 0.5"\n' + (
        'band = [{reason_code = "r", action = "review", text = "{merchant_risk_3d} at {merchant_id}"}]'
    )
    engine = Engine(read_rules(text, Path("rules.toml")), lambda _word: 1)
    assert Engine(
        read_rules(text.replace("merchant_risk_3d > 0.5", "amount >= money(0)"), Path("r")), int
    ).risk_kinds == (0,)
    made = Pass(records, replace(context, rules=engine, risk=book), [300])
    hits = [(alert, hit) for alert in made.alerts for hit in alert["rule_hits"]]
    assert len(hits) > 5
    assert {hit["text"] for _, hit in hits} == {f"94 % at {merchant.decode()}"}
    assert all(alert["event_time"].timestamp() * 1000 >= middle for alert, _ in hits)
    counts = [decided.settled.ruled.hits.counts[0] for _, decided in made.runs]
    assert sum(count.not_applicable for count in counts) > 5, "before the first snapshot nobody knows"


@pytest.fixture(scope="module")
def risky(context):
    """The same forest with the risk rule beside it, and a book in force from the middle of the stream on, in which one merchant has taken only fraud."""
    merchant = next(merchant_ids(SPEC))
    figures = np.zeros((1, len(FIGURES)), np.int64)
    figures[0, [PAYMENTS_3D, FRAUDS_3D]] = 50
    nobody = Entities.of(Spans.of([]), np.zeros((0, len(FIGURES)), np.int64))
    taken = Entities.of(Spans.of([merchant]), figures)
    middle = SPEC.start_ms + SPEC_SPAN_MS // 2
    snapshot = Snapshot("r-1", middle, SPEC.end_ms, 0, (taken, nobody, nobody))
    beside = Part("risk", RiskRule(1), ("merchant_risk_3d",), np.zeros((2, 1)), scale_of({0.0: 0.0, 1.0: 1.0}))
    parts = (*context.model.parts, beside)
    model = replace(context.model, parts=parts, feature_set=feature_set_of("small", features_of(parts)))
    return replace(context, model=model, risk=Book.of([snapshot])), merchant, middle


def test_risk_raises_the_score_of_what_touches_it_and_is_lacking_before_any_snapshot(records, risky, whole):
    context, _, middle = risky
    made = Pass(records, context, [300])
    times = np.concatenate([decided.event_times_ms for _, decided in made.runs])
    scored = made.decisions["disposition"] == Disposition.SCORED
    early = scored & (times < middle)
    assert set(made.decisions["degraded"][early]) == {Lacking.RISK}
    assert set(made.decisions["degraded"][~early]) == {0}
    assert sum(decided.partial for _, decided in made.runs) == early.sum()
    raised = np.flatnonzero(made.decisions["score"] != whole.decisions["score"])
    raised = raised[~np.isnan(made.decisions["score"][raised])]
    assert raised.size > 5
    assert (made.decisions["score"][raised] == np.float32(50 / 53)).all()
    assert (times[raised] >= middle).all()
    told = [alert for alert in made.alerts if alert["source_offset"] in set(raised.tolist())]
    assert len(told) == raised.size
    assert {alert["reasons"][0] for alert in told} == {"94 % of what this merchant took lately was fraud"}
    assert {alert["attributions"][0]["feature"] for alert in told} == {"merchant_risk_3d"}
    assert {tuple(alert["degraded"]) for alert in made.alerts} == {(), ("risk",)}
    assert made.state == whole.state, "the state does not depend on risk"


def test_without_a_snapshot_the_forest_decides_alone(records, risky, whole):
    bare = Pass(records, replace(risky[0], risk=Book()), [400])
    assert bare.decisions["score"].tobytes() == whole.decisions["score"].tobytes()
    assert bare.decisions["outcome"].tobytes() == whole.decisions["outcome"].tobytes()


def merchant_ids(spec):
    """Those that scored debits of the second half name, the most frequent first."""
    counted = Counter(
        merchant
        for batch in generate(spec)
        for merchant, time in zip(batch.merchant_id.tolist(), batch.event_time.tolist(), strict=True)
        if merchant and time > spec.start_ms + 3 * SPEC_SPAN_MS // 4
    )
    return (merchant for merchant, _ in counted.most_common())


def test_warm_up_withholds_the_alert_and_keeps_the_outcome(records, context, whole):
    alerts_from = whole.alerts[len(whole.alerts) // 2]["source_offset"]
    warm = Pass(records, context, [250], begin(alerts_from))
    late = [alert for alert in whole.alerts if alert["source_offset"] >= alerts_from]
    assert warm.alerts == late
    assert 0 < len(late) < len(whole.alerts)
    decisions, free = warm.decisions, whole.decisions
    for field in ("offset", "score", "disposition", "outcome", "reason", "flags"):
        assert decisions[field].tobytes() == free[field].tobytes(), field
    withheld = (free["outcome"] != APPROVE) & (free["offset"] < alerts_from)
    assert withheld.any()
    assert (decisions["suppression"] == np.where(withheld, Held.WARM_UP, 0)).all()
    assert sum(block.alerts for block in warm.blocks) == len(late)
    assert warm.state == whole.state


def test_the_watermark_of_a_run_is_its_greatest_scored_event_time(whole):
    decided = whole.runs[0][1]
    scored = decided.dispositions == Disposition.SCORED
    assert decided.watermark_ms == decided.event_times_ms[scored].max()


def test_a_run_that_the_state_has_seen_already_is_refused(records, context):
    accounts, position = Accounts(), begin()
    run = Run("transactions", PARTITION, -1, Records.of(records[:50]))
    decide_run(run, accounts, position, context, SPEC.end_ms)
    with pytest.raises(StateAheadError):
        decide_run(run, accounts, position, context, SPEC.end_ms)


def test_every_stage_before_the_commit_is_told_once_and_in_order(records, context):
    told = []
    decide_run(
        Run("transactions", PARTITION, -1, Records.of(records[:5])),
        Accounts(),
        begin(),
        context,
        SPEC.end_ms,
        told.append,
    )
    assert [*told, Stage.COMMIT] == list(Stage)


anything = st.one_of(
    st.none(),
    st.binary(max_size=80),
    st.binary(max_size=200).map(lambda payload: frame(1, payload)),  # a header that is known, then garbage
    st.builds(frame, st.integers(-(2**31), 2**31 - 1), st.binary(max_size=40)),
)
damage = st.tuples(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(1, 255))
keys = st.one_of(st.none(), st.binary(max_size=200), st.just(b"a"))


@settings(max_examples=150)
@given(garbage=st.lists(st.tuples(keys, anything), min_size=1, max_size=12), now_ms=st.integers(0, 2**42))
def test_no_bytes_of_key_or_value_make_it_raise(garbage, now_ms, context):
    run = Run(
        "transactions", PARTITION, -1, Records.of([Record(at, key, value) for at, (key, value) in enumerate(garbage)])
    )
    decided = decide_run(run, Accounts(), begin(), context, now_ms)
    block = read_block(decided.messages[-1].value)
    assert block.records == len(garbage)
    letters = [message for message in decided.messages if message.topic == context.names.dlq]
    assert len(letters) == block.dead_letters == np.count_nonzero(decided.reasons)


@settings(max_examples=100)
@given(spots=st.lists(damage, min_size=1, max_size=10))
def test_a_damaged_transaction_is_decided_or_dead_lettered_and_its_neighbours_do_not_care(spots, records, context):
    good = [record for record in records[:60] if record.value]
    damaged = list(good)
    for row, place, change in spots:
        value = bytearray(damaged[row % len(good)].value)
        value[place % len(value)] ^= change
        damaged[row % len(good)] = replace(damaged[row % len(good)], value=bytes(value))
    touched = {good[row % len(good)].key for row, _, _ in spots}
    calm, harmed = (Pass(each, context, [len(good)]) for each in (good, damaged))
    rows = [at for at, record in enumerate(good) if record.key not in touched]
    assert harmed.decisions[rows].tobytes() == calm.decisions[rows].tobytes()
    assert sum(block.records for block in harmed.blocks) == len(good)
