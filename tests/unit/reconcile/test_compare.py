"""Each defect is found and named, on evidence made by hand: three decisions of partition 1, one of them alerted, one rejected."""

import struct
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest

from monitor.effects.alert_ids import alert_id
from monitor.effects.decisions import DECISION
from monitor.guard.reasons import Reason
from monitor.reconcile.audited import Audited
from monitor.reconcile.compare import (
    compare_alerts,
    compare_decisions,
    compare_letters,
    compare_state,
    compare_tellings,
)
from monitor.reconcile.effects import Alert, Letter, Written
from monitor.reconcile.findings import DEFECTS, Findings
from monitor.state.dispositions import Disposition, Held
from monitor.state.layout import ACCOUNT, ADDED_BY_3, FRESH
from monitor.state.migrations import HEADER
from monitor.state.packing import UNIT, pack

OFFSETS = np.array([10, 11, 13])
VALUE = b"rejected"


def evidence(offsets=(10, 11, 13)):
    decisions = np.zeros(len(offsets), DECISION)
    decisions["offset"] = offsets
    decisions["score"] = [0.9, np.nan, 0.1][: len(offsets)] + [0.1] * (len(offsets) - 3)
    decisions["outcome"][0] = 2
    decisions["disposition"][1], decisions["reason"][1] = Disposition.REJECTED, Reason.UNDECODABLE
    return Audited(1, decisions, start=10, last_offset=max(offsets), topic_id="id", blocks=1)


def alert(offset=10, outcome=2, score=0.9, topic_id="id"):
    return Alert(alert_id(topic_id, 1, offset), outcome, struct.pack("<d", score))


def letter(reason="undecodable", value=VALUE):
    return Letter(reason, sha256(value).digest())


def written(alerts=None, letters=None):
    made = Written()
    made.alerts.update({10: [alert()]} if alerts is None else alerts)
    made.letters.update({11: [letter()]} if letters is None else letters)
    return made


def defects(found):
    return {name: found.counts[name] for name in DEFECTS if found.counts[name]}


def test_what_an_alert_tells_beside_its_decision_is_held_against_the_reference():
    telling = (3, False, ("cool-down",))
    for told, expected in ((telling, {}), ((2, False, ("cool-down",)), {"alerts_foreign": 1})):
        made, found = written(alerts={}), Findings()
        made.withheld[10] = [replace(alert(), telling=told)]
        compare_tellings(evidence(), made, {10: telling, 12: (0, True, ())}, found)
        assert defects(found) == expected


def test_a_withheld_alert_is_due_where_the_decision_says_so_and_nowhere_else():
    log, found = evidence(), Findings()
    log.decisions["suppression"][0] = Held.COOLING
    made = written(alerts={})
    made.withheld[10] = [alert()]
    compare_alerts(log, made, found)
    assert (defects(found), found.counts["withheld_alerts"]) == ({}, 1)
    compare_alerts(log, written(), found)
    assert defects(found) == {"alerts_lost": 1, "alerts_foreign": 1}


@pytest.mark.parametrize(
    ("decided", "there", "expected"),
    [
        ((10, 11, 13), OFFSETS, {}),
        ((10, 11, 13), [10, 11, 13, 14, 15], {}),
        ((10, 11, 13), [10, 11, 12, 13], {"lost": 1}),
        ((10, 11, 13, 13), OFFSETS, {"twice": 1}),
        ((10, 11, 13), [10, 13], {"phantom": 1}),
        ((10, 13, 11), OFFSETS, {"out_of_order": 1}),
        ((10, 11, 13, 11), [10, 11, 12, 13], {"lost": 1, "twice": 1, "out_of_order": 1}),
    ],
)
def test_decisions_are_held_against_the_input(decided, there, expected):
    found = Findings()
    compare_decisions(evidence(decided), np.asarray(there), found)
    assert defects(found) == expected
    assert len(found.words) == len(expected)
    assert found.counts["undecided"] == sum(offset > 13 for offset in there)


@pytest.mark.parametrize(
    ("alerts", "expected"),
    [
        ({10: [alert()]}, {}),
        ({10: [alert()], 99: [alert(99)]}, {}),  # written since the audit log was read
        ({}, {"alerts_lost": 1}),
        ({10: [alert(), alert()]}, {"alerts_twice": 1}),
        ({10: [alert()], 13: [alert(13)]}, {"alerts_foreign": 1}),
        ({10: [alert(outcome=1)]}, {"alerts_foreign": 1}),
        ({10: [alert(score=np.nextafter(0.9, 1))]}, {"alerts_foreign": 1}),
        ({10: [alert(topic_id="other")]}, {"alerts_foreign": 1}),
    ],
)
def test_an_alert_is_due_once_and_says_what_was_decided(alerts, expected):
    found = Findings()
    compare_alerts(evidence(), written(alerts=alerts), found)
    assert defects(found) == expected


def test_a_suppressed_decision_has_no_alert():
    log, found = evidence(), Findings()
    log.decisions["suppression"][0] = 1
    compare_alerts(log, written(), found)
    assert defects(found) == {"alerts_foreign": 1}


@pytest.mark.parametrize(
    ("letters", "expected"),
    [
        ({11: [letter()]}, {}),
        ({}, {"dead_letters_lost": 1}),
        ({11: [letter(), letter()]}, {"dead_letters_twice": 1}),
        ({11: [letter()], 10: [letter()]}, {"dead_letters_foreign": 1}),
        ({11: [letter("empty_value")]}, {"dead_letters_foreign": 1}),
        ({11: [letter(value=b"others")]}, {"dead_letters_foreign": 1}),
    ],
)
def test_a_dead_letter_is_due_once_with_its_reason_and_bytes(letters, expected):
    found = Findings()
    compare_letters(evidence(), written(letters=letters), {11: sha256(VALUE).digest()}, found)
    assert defects(found) == expected


def record(**fields):
    made = FRESH.copy()
    for name, value in fields.items():
        made[name] = value
    return made


def value(made):
    return pack(made.view(UNIT).reshape(1, -1), np.zeros(1, np.int64), HEADER)[0]


def account(**fields):
    return value(record(**fields))


@pytest.mark.parametrize("field", [name for name in ACCOUNT.names if name != "spare"])
def test_whatever_differs_in_an_account_is_named(field):
    found, changed = Findings(), record(events=1)
    changed.view(np.uint8)[ACCOUNT.fields[field][1]] ^= 1
    compare_state(1, {b"a": value(changed), b"b": account()}, {b"a": account(events=1), b"b": account()}, found)
    assert defects(found) == {"state_differs": 1}
    assert found.words == [f"state_differs: partition 1: account b'a' differs in {field}"]


def test_the_same_record_in_an_older_layout_is_no_difference():
    found = Findings()
    compare_state(
        1, {b"a": b"\1".ljust(8, b"\0") + record(events=1).tobytes()[:-ADDED_BY_3]}, {b"a": account(events=1)}, found
    )
    assert defects(found) == {}


@pytest.mark.parametrize("damaged", [b"", account()[:-1], b"another program's"])
def test_an_account_that_cannot_be_read_is_a_difference_and_the_others_are_compared(damaged):
    found = Findings()
    both = {b"a": account(events=1), b"b": account(events=2)}
    compare_state(1, {**both, b"a": damaged}, {**both, b"b": account()}, found)
    assert defects(found) == {"state_differs": 2}
    assert "account b'a' cannot be read: " in found.words[0]
    assert found.words[1].endswith("account b'b' differs in events")


def test_an_account_on_one_side_alone_is_a_difference():
    found = Findings()
    compare_state(1, {b"a": account()}, {b"b": account()}, found)
    assert defects(found) == {"state_differs": 2}


def test_only_the_first_findings_of_a_kind_are_put_in_words_and_all_are_counted():
    found = Findings()
    for number in range(50):
        found.report("lost", 1, str(number))
    assert found.counts["lost"] == 50
    assert len(found.words) == 10
    assert not found.ok


def test_lag_alone_is_nothing_wrong():
    found = Findings()
    found.counts["undecided"] += 5
    assert found.ok
