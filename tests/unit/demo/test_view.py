"""The live view as text."""

import datetime as dt
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from monitor.demo.tally import Tally
from monitor.demo.view import BARS, View, quantile, sparkline

BUCKET = 'monitor_record_to_commit_seconds_bucket{le="%s"}'
ALERT = {
    "event_time": dt.datetime(2026, 1, 31, 12, 5, tzinfo=dt.UTC),
    "outcome": "block",
    "anomaly_score": 0.8125,
    "amount_minor": 123_456,
    "currency": "EUR",
    "reasons": ["first reason", "second reason", "third reason"],
}


def text(renderable) -> str:
    console = Console(width=160, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(renderable)
    return console.export_text()


def test_a_frame_before_anything_happened_shows_dashes():
    shown = text(View("kafka", "http://127.0.0.1:1", "worker.log").frame(Tally(), {}, 0.0, "starting"))
    assert "starting" in shown
    assert "kafka" in shown
    assert "http://127.0.0.1:1/metrics" in shown
    assert "worker.log" in shown
    assert "-" in shown


def test_a_frame_shows_counts_rates_latency_and_reasons():
    view, tally = View("kafka", "url", "log"), Tally()
    view.frame(tally, {}, 10.0, "running")
    tally.transactions_in, tally.scored, tally.alerts = 12_500, 12_500, 1
    tally.latest.append(ALERT)
    found = {BUCKET % "0.005": 10.0, BUCKET % "0.01": 98.0, BUCKET % "0.05": 100.0, BUCKET % "+Inf": 100.0}
    shown = text(view.frame(tally, found | {'monitor_accounts{partition="0"}': 40.0, 'monitor_accounts{partition="1"}': 2.0}, 12.5, "running"))  # fmt: skip
    for each in ("12,500", "5,000/s", "<= 10 ms", "<= 50 ms", "yes", "31 Jan 12:05", "0.812", "1,234.56 EUR", "block"):
        assert each in shown, each
    assert "42" in shown
    assert "first reason; second reason" in shown
    assert "third reason" not in shown


def test_a_frame_says_no_where_the_counts_do_not_add_up():
    shown = text(View("b", "u", "l").frame(Tally(transactions_in=1), {}, 0.0, ""))
    assert "NO" in shown


def test_latency_is_that_of_new_records_and_stays_while_there_are_none():
    view = View("b", "u", "l")
    slow = {BUCKET % "0.01": 0.0, BUCKET % "1": 50.0, BUCKET % "+Inf": 50.0}
    fast = {BUCKET % "0.01": 1000.0, BUCKET % "1": 1050.0, BUCKET % "+Inf": 1050.0}
    assert view._latency(slow) == ("<= 1,000 ms", "<= 1,000 ms")
    assert view._latency(fast) == ("<= 10 ms", "<= 10 ms")
    assert view._latency(fast) == ("<= 10 ms", "<= 10 ms")


@pytest.mark.parametrize(
    ("cumulative", "share", "shown"),
    [
        ({}, 0.5, "-"),
        ({0.1: 0.0, float("inf"): 0.0}, 0.5, "-"),
        ({0.005: 50.0, 0.01: 100.0}, 0.5, "<= 5 ms"),
        ({0.005: 49.0, 0.01: 100.0}, 0.5, "<= 10 ms"),
        ({0.005: 50.0, float("inf"): 100.0}, 0.99, "> 60 s"),
        ({0.5: 1.0}, 0.99, "<= 500 ms"),
    ],
)
def test_a_quantile_is_the_bound_of_its_bucket(cumulative, share, shown):
    assert quantile(cumulative, share) == shown


@given(st.lists(st.floats(0, 1e9), max_size=60))
def test_a_sparkline_has_a_bar_a_value_and_the_highest_for_the_greatest(values):
    line = sparkline(deque(values))
    assert len(line) == len(values)
    assert set(line) <= set(BARS)
    if max(values, default=0.0) > 0:
        assert line[values.index(max(values))] == BARS[-1]
