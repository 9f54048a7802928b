"""Counting what came of it, from audit blocks and alerts as they are on the wire."""

import json

import numpy as np
import pytest

from monitor.demo.tally import LATEST_ALERTS, Tally, as_line
from monitor.effects.alert_ids import alert_id
from monitor.effects.audit import build_block, genesis_block
from monitor.effects.decisions import DECISION, Ids
from monitor.state.dispositions import Disposition
from tests.alerts import alert_value


def alert(number: int, transaction: str | None = None) -> bytes:
    return alert_value(alert_id=alert_id("id", 0, number), transaction_id=transaction or f"t-{number}", account_id="a")


def block(partition: int, *kinds: Disposition, alerts: int = 0) -> bytes:
    _, position = genesis_block(
        app_id="app", topic="t", topic_id="id", partition=partition, start=0, alerts_from_offset=0, versions={}, schema_id=1
    )  # fmt: skip
    n = len(kinds)
    decisions = np.zeros(n, DECISION)
    decisions["offset"], decisions["disposition"] = np.arange(n), kinds
    ids = Ids(np.zeros(0, np.uint8), np.zeros(n, np.int64), np.full(n, -1, np.int32))
    return build_block(position, decisions, ids, alerts=alerts, watermark_ms=1, changelog_records=n, changelog_tail=bytes(32), versions={}, schema_id=1)[0]  # fmt: skip


def test_blocks_add_up_over_partitions():
    tally = Tally()
    tally.note_block(block(0, Disposition.SCORED, Disposition.DUPLICATE, Disposition.SCORED, alerts=1))
    tally.note_block(block(1, Disposition.REJECTED))
    assert (tally.transactions_in, tally.scored, tally.duplicates, tally.dead_letters) == (4, 2, 1, 1)
    assert tally.audited == {0: 2, 1: 0}
    assert tally.reconciles
    assert not tally.has_every_alert
    tally.note_alert(alert(0))
    assert tally.has_every_alert


def test_a_record_that_is_not_accounted_for_does_not_reconcile():
    tally = Tally(transactions_in=10, scored=7, duplicates=1, dead_letters=1)
    assert not tally.reconciles
    tally.scored += 1
    assert tally.reconciles


def test_an_alert_that_comes_twice_does_not_reconcile_and_counts_once():
    tally = Tally()
    for number in (0, 1, 1):
        tally.note_alert(alert(number))
    assert (tally.alerts, tally.repeated, len(tally.latest)) == (2, 1, 2)
    assert not tally.reconciles


def test_two_alerts_about_one_transaction_are_two_alerts_and_one_hit():
    """A retry beyond the duplicate horizon is scored again."""
    tally = Tally(frauds={"t-0": "card_testing", "t-9": "card_testing"})
    tally.note_alert(alert(0, "t-0"))
    tally.note_alert(alert(1, "t-0"))
    assert tally.reconciles
    assert tally.alerts == 2
    assert tally.precision_and_recall() == (1.0, 0.5)


def test_a_withheld_alert_is_waited_for_and_counts_as_a_hit_and_a_burst_s_end_does_not():
    tally = Tally(frauds={"t-0": "card_testing"})
    tally.withheld_due = 1
    assert not tally.has_every_alert
    for _ in range(2):
        tally.note_withheld(alert(0))
    assert (tally.withheld, tally.repeated, tally.has_every_alert) == (1, 1, True)
    tally.note_alert(alert_value(alert_id=alert_id("id", 0, 1), transaction_id="t-1", outcome="approve"))
    assert tally.precision_and_recall() == (1.0, 1.0)


def test_precision_and_recall_are_shares_of_alerts_and_of_frauds():
    tally = Tally(frauds=dict.fromkeys(("t-0", "t-1", "t-8", "t-9"), "incident"))
    for number in range(5):
        tally.note_alert(alert(number))
    assert tally.precision_and_recall() == (2 / 5, 2 / 4)


@pytest.mark.parametrize(("frauds", "expected"), [({}, (None, None)), ({"t-1": "incident"}, (None, 0.0))])
def test_nothing_to_divide_by_is_none(frauds, expected):
    assert Tally(frauds=frauds).precision_and_recall() == expected


def test_only_the_latest_alerts_are_kept():
    tally = Tally()
    for number in range(LATEST_ALERTS + 5):
        tally.note_alert(alert(number))
    assert [each["transaction_id"] for each in tally.latest] == [f"t-{n}" for n in range(5, LATEST_ALERTS + 5)]


def test_the_summary_is_one_line_of_json_and_misses_no_alert():
    tally = Tally(transactions_in=3, scored=3, alerts_due=1)
    assert json.loads(as_line(tally.summary(1.234))) == {
        "transactions_in": 3, "scored": 3, "duplicates": 0, "dead_letters": 0, "alerts": 0, "withheld": 0, "seconds": 1.23,
        "precision": None, "recall": None, "reconciles": False,
    }  # fmt: skip
    tally.note_alert(alert(0))
    assert tally.summary(1.0)["reconciles"] is True
    assert "\n" not in as_line(tally.summary(1.0))
