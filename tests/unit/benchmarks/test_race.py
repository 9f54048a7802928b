"""The race's own parts: a stream that all can agree on, a threshold that no last bit crosses, and an equality check that finds what differs."""

import itertools
import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.peers.kernel import FRESH, meet
from benchmarks.race.equality import differences
from benchmarks.race.field import FIELD
from benchmarks.race.job import CLEAR, FEATURES, clear_threshold
from benchmarks.race.progress import Progress
from benchmarks.race.report import chart, table
from benchmarks.race.results import Results
from benchmarks.race.stream import Stream, with_late_ones
from monitor.learn.dataset import replay
from monitor.learn.sources import simulated
from monitor.money.exchange import load_exchange
from monitor.state.layout import RING
from monitor.wire.murmur2 import partition_of


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=300), st.integers(0, 2**32))
def test_a_late_event_stays_after_all_that_the_ring_has_let_go(events, seed):
    account = np.array([b"%d" % number for number, _ in events])
    times = np.cumsum([step for _, step in events]) + 10_000
    moved = with_late_ones(account, times, seed)
    for name in np.unique(account):
        mine = moved[account == name]
        for place in range(RING, len(mine)):
            late = mine[place] < mine[:place].max()
            assert not late or mine[place] > mine[: place - RING].max(initial=0)


def test_the_stream_has_late_events_and_each_transaction_is_scored_once():
    stream = Stream("skewed", 20_000, 300)
    seen = replay(simulated(stream.batches), load_exchange(None))
    assert len(seen) == np.unique(stream.transaction_ids).size == 20_000
    arrived = [time for batch in stream.batches for time in batch.event_time.tolist()]
    assert 100 < sum(later < earlier for earlier, later in itertools.pairwise(arrived)) < 300


def test_lonely_transactions_are_the_skewed_ones_of_accounts_in_one_partition():
    skewed, lonely = Stream("skewed", 5_000, 100), Stream("lonely", 5_000, 100)
    assert skewed.transaction_ids.tolist() == lonely.transaction_ids.tolist()
    before, after = (np.concatenate([batch.account_id for batch in each.batches]) for each in (skewed, lonely))
    assert len(set(zip(before.tolist(), after.tolist(), strict=True))) == len(set(before.tolist())) > 50
    assert {partition_of(name, 4) for name in after.tolist()} == {0}


@pytest.mark.parametrize("keys", ["skewed", "uniform"])
def test_the_kernel_lent_to_peers_describes_as_ours_does(keys):
    stream = Stream(keys, 10_000, 150)
    exchange = load_exchange(None)
    ours = replay(simulated(stream.batches), exchange, FEATURES).features
    names = np.concatenate([batch.account_id for batch in stream.batches])
    _, slots = np.unique(names, return_inverse=True)
    rows = np.zeros((len(slots), len(FEATURES)), np.float32)
    times = np.concatenate([batch.event_time for batch in stream.batches])
    amounts = ours[:, 0].astype(np.int64)
    credit = ours[:, 1] > 0
    assert (amounts < 2**24).all(), "float32 has lost digits of an amount"
    accounts = np.repeat(FRESH, slots.max() + 1)
    meet(accounts, slots, times, amounts, credit, rows)
    np.testing.assert_array_equal(rows, ours)


@given(st.lists(st.floats(0, 1, width=32), min_size=20, max_size=200, unique=True), st.floats(0.01, 0.5))
def test_no_score_is_near_the_threshold(scores, rate):
    found = np.array(scores)
    if (np.diff(np.sort(found)) > 2 * CLEAR).any():
        assert np.abs(found - clear_threshold(found, rate)).min() > CLEAR


def test_the_threshold_gives_the_rate_asked_for():
    scores = np.random.default_rng(1).random(10_000)
    assert (scores >= clear_threshold(scores, 0.05)).sum() == pytest.approx(500, abs=3)


def test_equal_alerts_have_no_differences():
    assert differences({"a": 0.5, "b": 0.6 + 1e-12}, {"a": 0.5, "b": 0.6}, 1e-9) == []


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"a": 0.5}, "1 alerts missing, first b"),
        ({"a": 0.5, "b": 0.6, "c": 0.7}, "1 alerts not due, first c"),
        ({"a": 0.5, "b": 0.6001}, "1 scores differ"),
    ],
)
def test_each_difference_is_named(found, said):
    (text,) = differences(found, {"a": 0.5, "b": 0.6}, 1e-9)
    assert text.startswith(said)


def test_records_of_the_warm_up_do_not_count(tmp_path):
    peer, race = Progress(tmp_path / "progress"), Progress(tmp_path / "progress")
    peer.add(5)
    assert race.done == 0
    (tmp_path / "progress").write_bytes(struct.pack("<qq", 7, 1))
    assert Progress(tmp_path / "progress").done == 7


def run(system: str, per_cpu_s: float) -> dict[str, object]:
    spread = {"events_per_s": per_cpu_s, "events_per_cpu_s": per_cpu_s}
    return {
        "system": system, "mode": "m", "job": "skewed 0.005", "rate": None, "events": 10, "rss_mb": 1, "broker_bytes_per_event": 5,
        "repeats": 3, "min": spread, "max": spread, **spread,
    }  # fmt: skip


RESULTS = {
    "machine": {"processor": "a processor"},
    "versions": {"python": "3", "kafka": "4"},
    "command": "python -m benchmarks.race",
    "commit": "abc",
    "runs": [run("slow", 100.0), run("ours", 300_000.0)],
}


def test_the_table_says_how_many_times_as_much_ours_does():
    lines = table(json.loads(json.dumps(RESULTS))).splitlines()
    ours, slow = lines[-2:]
    assert ours.startswith("| ours, m | 300,000")
    assert "| 3,000 x |" in slow


def test_the_chart_is_whole_svg():
    text = chart(RESULTS)
    assert text.startswith("<svg")
    assert text.count("<rect") == 3


def test_a_race_in_parts_keeps_the_runs_it_had_and_names_each_part(tmp_path):
    path, ours = tmp_path / "latest.json", FIELD[0]
    figures = {"events": 10, "wall_s": 1.0, "cpu_s": 1.0, "events_per_s": 10, "events_per_cpu_s": 10, "alerts": 1}
    Results(path).add("skewed 0.005", ours, figures)
    before = json.loads(path.read_text())
    path.write_text(json.dumps(before | {"parts": [each | {"commit": "before"} for each in before["parts"]]}))
    further = Results(path, add=True)
    further.add("skewed 0.005", ours, figures | {"events_per_s": 30})
    further.add("skewed 0.05", ours, figures, rate=100)
    after = json.loads(path.read_text())
    assert [part["commit"] for part in after["parts"]] == ["before", before["commit"]]
    first, second = after["runs"]
    assert (first["job"], first["repeats"], first["events_per_s"], first["max"]["events_per_s"]) == (
        "skewed 0.005",
        2,
        20,
        30,
    )
    assert (second["job"], second["repeats"], second["rate"]) == ("skewed 0.05", 1, 100)
    Results(path).add("skewed 0.005", ours, figures)
    assert [len(json.loads(path.read_text())[name]) for name in ("parts", "runs")] == [1, 1], "without --add it is new"
