"""`fold` against a model that shares no code with it, and each rule of docs/state.md by an example."""

import ast
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import monitor
from monitor.errors import StateAheadError
from monitor.features.catalogue import ACCOUNT_FEATURES, INDEX
from monitor.guard.reasons import Reason
from monitor.state import kernels
from monitor.state.dispositions import Disposition, Flag
from monitor.state.forgetting import remembered
from monitor.state.kernels import COMPILED_IN, fold, warm_up
from monitor.wire.columns import Columns
from monitor.wire.records import Spans

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
IDLE_TTL = 10 * DAY
T0 = 1_790_000_000_000 // (6 * HOUR) * (6 * HOUR)
"""The edge of a tile of every family."""

STEPS = [0, 1, 999, 30_000, MINUTE, 5 * MINUTE, 15 * MINUTE, 55 * MINUTE, HOUR, 4 * HOUR, 6 * HOUR, 23 * HOUR, DAY, 3 * DAY, 7 * DAY, 10 * DAY, 15 * DAY]  # fmt: skip


@st.composite
def histories(draw, longest=70):
    """Events of up to two accounts: mostly forward, some late, retried, conflicting, or too large."""
    moves = st.tuples(
        st.sampled_from([*STEPS[:9] * 4, *STEPS]),
        st.sampled_from([1, 1, 1, 1, 1, -1]),
        st.sampled_from([-1, 0, 0, 1]),
        st.sampled_from([0, 1, 90, 500, 1000, 1001, 5000, 10**6, 10**15, 2**56, 2**57, 2**57 + 1]),
        st.sampled_from([False, False, False, True]),
        st.integers(0, 40),
        st.integers(0, 12),
        st.integers(0, 12),
        st.sampled_from([None, None, None, None, 1, 2, 17]),
        st.sampled_from([7, 7, 8]),
        st.sampled_from([b"a", b"a", b"a", b"b"]),
        st.sampled_from([True] * 9 + [False]),
    )
    return draw(st.lists(moves, min_size=1, max_size=longest))


def events_of(moves, event):
    """The moves as events: times are steps from the newest time so far, a retry repeats the key of some events before."""
    made, newest = [], T0
    for number, (
        step,
        sign,
        nudge,
        amount,
        credit,
        merchant,
        device,
        country,
        back,
        digest,
        account,
        admitted,
    ) in enumerate(moves):
        t = newest + sign * step + nudge
        newest = max(newest, t)
        key = made[-back].key if back is not None and back <= len(made) else number + 1
        made.append(
            event(
                t,
                amount,
                credit,
                merchant * 0x9E3779B97F4A7C15 % 2**64,
                device << 31,
                country,
                key,
                digest,
                account,
                admitted,
            )
        )
    return made


EVERY_FEATURE = [feature.name for feature in ACCOUNT_FEATURES]


def assert_as_the_model_says(folded, events, model):
    for i, e in enumerate(events):
        seen = model.meet(e)
        assert Disposition(folded.disposition[i]).name == seen.disposition, (i, e)
        assert {flag.name for flag in Flag(int(folded.flags[i]))} == seen.flags, (i, e)
        rejected_here = seen.disposition == "REJECTED" and e.admitted
        assert folded.reason[i] == (Reason.SUM_OVERFLOW if rejected_here else 0 if e.admitted else 44)
        if seen.features is None:
            assert not folded.features[i].any()
            continue
        row = dict(zip(EVERY_FEATURE, folded.features[i].tolist(), strict=True))
        assert row == seen.features, (i, e, {k: (row[k], seen.features[k]) for k in row if row[k] != seen.features[k]})


@given(moves=histories())
@settings(max_examples=150)
def test_features_flags_and_dispositions_equal_those_of_a_model_over_lists_of_events(
    moves, event, make_driver, make_model
):
    events = events_of(moves, event)
    assert_as_the_model_says(make_driver().fold(events), events, make_model())


@pytest.mark.parametrize("seed", range(4))
def test_a_long_history_equals_the_model(seed, event, make_driver, make_model):
    rng = np.random.default_rng(seed)
    pace = [20_000, 10 * MINUTE, 3 * HOUR, 2 * MINUTE][seed]
    t, events = T0, []
    for number in range(500):
        t += int(rng.exponential(pace)) if rng.random() > 0.01 else int(rng.exponential(3 * DAY))
        late = int(rng.exponential(pace * 8)) if rng.random() < 0.2 else 0
        retry = rng.random() < 0.1 and number > 20
        events.append(
            event(
                t - late,
                int(rng.lognormal(8, 1.5)),
                bool(rng.random() < 0.15),
                int(rng.integers(0, 60)) * 0x9E3779B97F4A7C15 % 2**64,
                int(rng.integers(0, 10)) << 40,
                int(rng.choice([0, 1, 2, 3], p=[0.1, 0.8, 0.05, 0.05])),
                events[-int(rng.integers(1, 20))].key if retry else number + 1,
                int(rng.integers(7, 9)) if retry else 7,
            )
        )
    assert_as_the_model_says(make_driver().fold(events), events, make_model())


@given(moves=histories(40), cuts=st.lists(st.integers(1, 7), min_size=1))
@example(moves=[(0, 1, 0, 1, False, 0, 0, 0, None, 7, b"a", True)] * 3, cuts=[1])
def test_however_a_stream_is_cut_into_runs_features_and_state_are_bit_equal(moves, cuts, event, make_driver):
    events = events_of(moves, event)
    whole, parts = make_driver(), make_driver()
    expected = whole.fold(events)
    pieces, at = [], 0
    while at < len(events):
        size = cuts[len(pieces) % len(cuts)]
        pieces.append(parts.fold(events[at : at + size]))
        at += size
    for name in ("features", "disposition", "flags", "reason"):
        assert np.concatenate([getattr(p, name) for p in pieces]).tobytes() == getattr(expected, name).tobytes(), name
    for account in whole.accounts:
        assert whole.value(account) == parts.value(account)


@given(moves=histories(40), cuts=st.lists(st.integers(1, 7), min_size=1), at_most=st.integers(1, 3))
def test_when_memory_is_freed_changes_nothing_that_can_be_seen(moves, cuts, at_most, event, make_driver):
    events = events_of(moves, event)
    kept, swept = make_driver(), make_driver()
    at, turn = 0, 0
    while at < len(events):
        size = cuts[turn % len(cuts)]
        at, turn, run = at + size, turn + 1, events[at : at + size]
        expected, found = kept.fold(run), swept.fold(run)
        for name in ("features", "disposition", "flags", "reason"):
            assert getattr(found, name).tobytes() == getattr(expected, name).tobytes(), name
        assert found.watermark_ms == expected.watermark_ms
        swept.accounts.sweep(at_most, swept.watermark_ms, IDLE_TTL, np.zeros(0, np.int64))
        states = [{key: driver.value(key) for key in driver.accounts} for driver in (kept, swept)]
        assert remembered(states[0], kept.watermark_ms, IDLE_TTL) == remembered(states[1], kept.watermark_ms, IDLE_TTL)


def test_an_account_that_event_time_left_behind_is_met_as_if_it_had_never_been(event, driver):
    driver.one(event(t=T0))
    driver.one(event(t=T0 + 2 * IDLE_TTL, account=b"b"))
    at_the_edge = driver.one(event(t=T0, key=2))
    assert not Flag(int(at_the_edge.flags[0])) & Flag.FIRST
    driver.one(event(t=T0 + 2 * IDLE_TTL + 1, key=2, account=b"b"))
    late = driver.one(event(t=T0, key=3))
    assert Flag(int(late.flags[0])) == Flag.FIRST
    assert late.features[0][INDEX["events_total"]] == 0


def test_a_retry_of_a_forgotten_event_is_a_new_event(event, driver):
    driver.fold([event(), event(t=T0 + 4 * IDLE_TTL, account=b"b")])
    again = driver.one(event())
    assert again.disposition.tolist() == [Disposition.SCORED]


def test_an_account_silent_for_one_time_to_live_has_expired_and_for_two_is_forgotten(event, make_driver):
    t = event().t
    expired, forgotten = make_driver(), make_driver()
    for driver, ahead in ((expired, 2 * IDLE_TTL), (forgotten, 2 * IDLE_TTL + 1)):
        driver.fold([event(), event(t=t + ahead, account=b"b")])
    later = event(t=t + 2 * IDLE_TTL + 1, key=2)
    assert Flag(int(expired.one(later).flags[0])) == Flag.EXPIRED | Flag.FIRST
    assert Flag(int(forgotten.one(later).flags[0])) == Flag.FIRST


def test_a_key_pushed_out_of_the_ring_says_how_far_back_retries_are_found(event, driver):
    folded = driver.fold([event(t=T0 + i * MINUTE, key=i + 1) for i in range(18)])
    assert folded.horizons_ms.tolist() == [-1] * 16 + [16 * MINUTE] * 2
    late = driver.one(event(t=T0 + 5 * MINUTE, key=50))
    assert late.horizons_ms.tolist() == [15 * MINUTE], "from the newest event on, not from the late one"


@given(moves=histories(40), stop=st.integers(0, 40))
def test_features_after_a_restart_from_the_changelog_are_bit_equal(moves, stop, event, make_driver):
    events = events_of(moves, event)
    stop = min(stop, len(events) - 1)
    uninterrupted, before, after = make_driver(), make_driver(), make_driver()
    expected = uninterrupted.fold(events)
    if stop:
        before.fold(events[:stop])
    keys = list(before.accounts)
    after.accounts.load_many(keys, [before.value(key) for key in keys])
    after.next_offset, after.watermark_ms = stop, before.watermark_ms
    assert after.fold(events[stop:]).features.tobytes() == expected.features[stop:].tobytes()


def test_the_first_event_has_no_past(driver, event):
    folded = driver.one(event(merchant=5 << 32, device=6 << 32, country=7))
    row = folded.features[0]
    assert Flag(int(folded.flags[0])) == Flag.FIRST
    assert {f.name: v for f, v in zip(ACCOUNT_FEATURES, row, strict=True) if v} == {
        "amount": 1000,
        "amount_share_24h": 1,
        "pace_ratio": 1,
        "time_since_last": -1,
    }


def test_an_offset_that_the_account_has_seen_stops_the_run(driver, event):
    driver.fold([event()], offsets=[41])
    with pytest.raises(StateAheadError, match=r"offset 41 \(slot 0\).*already seen offset 41"):
        driver.fold([event(key=2)], offsets=[41])


def test_a_retry_changes_nothing_but_the_watermark(driver, event):
    driver.one(event())
    before = driver.accounts.record(b"a")
    folded = driver.one(event(t=event().t + 5000))
    after = driver.accounts.record(b"a")
    assert folded.disposition[0] == Disposition.DUPLICATE
    assert after["last_offset"] == 1
    after["last_offset"] = before["last_offset"]
    assert after.tobytes() == before.tobytes()


def test_a_retry_is_forgotten_after_sixteen_other_events(driver, event):
    events = [event(t=event().t + i, key=i + 1) for i in range(17)]
    assert driver.fold([*events[:16], events[0]]).disposition[-1] == Disposition.DUPLICATE
    assert driver.fold([events[16], events[0]]).disposition.tolist() == [Disposition.SCORED, Disposition.SCORED]


def test_a_key_with_other_content_is_scored_and_flagged_and_its_own_retry_is_found(driver, event):
    folded = driver.fold([event(), event(digest=8), event(digest=8), event()])
    assert folded.disposition.tolist() == [0, 0, 1, 1]
    assert Flag(int(folded.flags[1])) == Flag.CONFLICT
    assert driver.accounts.record(b"a")["events"] == 2


def test_an_amount_that_would_overflow_a_sum_is_rejected_and_changes_nothing_but_the_watermark(driver, event):
    driver.one(event(amount=2**57))
    before = driver.accounts.record(b"a")
    folded = driver.one(event(amount=1, key=2))
    after = driver.accounts.record(b"a")
    assert folded.disposition[0] == Disposition.REJECTED
    assert folded.reason[0] == Reason.SUM_OVERFLOW
    after["last_offset"] = before["last_offset"]
    assert after.tobytes() == before.tobytes()
    assert driver.one(event(amount=1, key=2, credit=True)).disposition[0] == Disposition.SCORED


def test_a_late_amount_is_not_held_against_a_tile_that_took_the_place_of_its_own(driver, event):
    """An hour apart, both would stand at one place of the ring of 5-minute tiles."""
    driver.one(event(t=T0, amount=2**57))
    assert driver.one(event(t=T0 - HOUR, amount=2**57, key=2)).disposition[0] == Disposition.SCORED


def test_window_sums_at_their_limit_do_not_wrap(driver, event):
    events = [event(t=T0 + i * 6 * HOUR, amount=2**57, key=i + 1) for i in range(29)]
    row = driver.fold(events).features[-1]
    assert row[INDEX["sum_7d"]] == 27 * 2.0**57
    assert row[INDEX["mean_7d"]] == 2.0**57


def test_a_silent_account_starts_anew_and_keeps_its_watermark(driver, event):
    t = event().t
    driver.fold([event(key=1), event(t=t + 10 * DAY, key=2)])
    folded = driver.one(event(t=t + 20 * DAY + 1, key=2))
    assert folded.disposition[0] == Disposition.SCORED
    assert Flag(int(folded.flags[0])) == Flag.EXPIRED | Flag.FIRST
    record = driver.accounts.record(b"a")
    assert (record["events"], record["last_offset"], record["first_seen"]) == (1, 2, t + 20 * DAY + 1)


def test_a_late_event_does_not_see_tiles_at_or_after_its_own(driver, event):
    row = driver.fold(
        [
            event(t=T0, key=1),
            event(t=T0 + 2 * HOUR, key=2),
            event(t=T0 + HOUR + MINUTE, key=3),
        ]
    ).features[-1]
    assert (row[INDEX["count_24h"]], row[INDEX["count_1h"]], row[INDEX["time_since_last"]]) == (1, 0, 0)


def test_a_late_event_is_counted_in_its_own_tile(driver, event):
    row = driver.fold(
        [event(t=T0 + 2 * HOUR, key=1), event(t=T0 + HOUR, key=2), event(t=T0 + 2 * HOUR, key=3)]
    ).features[-1]
    assert row[INDEX["count_24h"]] == 2


def test_an_event_later_than_the_ring_is_scored_and_remembered_but_not_folded(driver, event):
    driver.fold([event(t=T0 + i * MINUTE, key=i + 1) for i in range(20)])
    before = driver.accounts.record(b"a")
    late = event(t=T0 + 3 * MINUTE, key=99, merchant=5 << 32, country=9)
    folded = driver.fold([late, late])
    after = driver.accounts.record(b"a")
    assert folded.disposition.tolist() == [Disposition.SCORED, Disposition.DUPLICATE]
    assert Flag.LATE_NOT_FOLDED | Flag.LATE in Flag(int(folded.flags[0]))
    unlike = {name for name in after.dtype.names if after[name].tobytes() != before[name].tobytes()}
    assert {name for name in unlike if not name.startswith("ring_")} == {"last_offset"}
    assert after["ring_floor"] == before["ring_floor"] + MINUTE


def test_a_burst_in_one_millisecond_is_not_late(driver, event):
    folded = driver.fold([event(key=i + 1) for i in range(40)])
    assert not (folded.flags & Flag.LATE).any()
    assert folded.features[-1, INDEX["count_1h"]] == 39


def test_the_ring_says_when_it_no_longer_holds_a_quarter_of_an_hour(driver, event):
    folded = driver.fold([event(t=T0 + i * 1000, key=i + 1) for i in range(18)])
    assert np.flatnonzero(folded.flags & Flag.RING_SATURATED).tolist() == [17]
    assert folded.features[17, INDEX["count_15m"]] == 16
    assert driver.accounts.record(b"a")["ring_floor"] == T0 + 1000
    later = driver.fold([event(t=T0 + 15 * MINUTE + 1000, key=50), event(t=T0 + 15 * MINUTE + 2001, key=51)])
    assert [bool(flags & Flag.RING_SATURATED) for flags in later.flags] == [True, False]


def test_one_large_amount_does_not_make_itself_usual(driver, event):
    driver.fold([event(t=T0 + i * HOUR, amount=1000, key=i + 1) for i in range(60)])
    folded = driver.fold([event(t=T0 + (60 + i) * HOUR, amount=10**6, key=i + 100) for i in range(3)])
    assert folded.features[:, INDEX["amount_z"]].min() > 50
    assert folded.features[2, INDEX["mean_amount"]] < 1200
    assert folded.features[2, INDEX["surprises_14d"]] == 2


def test_hours_are_halved_before_one_overflows(driver, event):
    driver.one(event(t=T0))
    hour = (T0 // HOUR) % 24
    driver.accounts.records["hours"][0] = 1000
    driver.accounts.records["hours"][0, hour] = 65535
    driver.one(event(t=T0 + 1, key=2))
    hours = driver.accounts.record(b"a")["hours"]
    assert hours[hour] == 32768
    assert set(np.delete(hours, hour)) == {500}


def test_surprises_of_a_day_stop_at_255(driver, event):
    driver.fold([event(t=T0 + i, key=i + 1) for i in range(30)])
    for _ in range(10):
        start = driver.next_offset
        driver.accounts.records["amount_mean"], driver.accounts.records["amount_variance"] = 10.0, 1.0
        driver.fold([event(t=T0 + start + i, amount=10 ** (7 + i // 4), key=start + i + 1) for i in range(30)])
    assert driver.accounts.record(b"a")["surprises"].max() == 255


def test_a_late_surprise_is_not_counted_on_the_day_that_took_the_place_of_its_own(driver, event):
    usual = [event(t=T0 + i, key=i + 1) for i in range(8)]
    surprises = [event(t=T0 + 8, amount=10**6, key=20), event(t=T0 - 14 * DAY, amount=10**9, key=21)]
    folded = driver.fold([*usual, *surprises, event(t=T0 + 9, key=22)])
    assert (folded.features[8:10, INDEX["amount_z"]] > 3).all()
    assert folded.features[10, INDEX["surprises_14d"]] == 1


def test_hashes_are_shortened_to_their_high_half_and_only_null_becomes_zero(driver, event):
    driver.fold([event(merchant=1, device=0), event(merchant=0xABCD1234_00000000, device=5 << 32, key=2)])
    record = driver.accounts.record(b"a")
    assert record["merchants"][:3].tolist() == [0xABCD1234, 1, 0]
    assert record["devices"][:2].tolist() == [5, 0]


def columns_of(*events):
    n = len(events)
    longs = np.array([[e.t, e.amount, e.credit, 0] for e in events], np.int64).reshape(n, 4).T.copy()
    nothing = np.zeros((9, n), np.int64)
    return Columns(
        np.zeros(0, np.uint8), longs, nothing, nothing.astype(np.int32), nothing.astype(np.uint64),
        np.zeros(n, np.uint8), np.zeros(n, np.int32),
    )  # fmt: skip


def raw_fold(driver, slots, events, reason):
    n = len(events)
    return fold(
        driver.accounts.records, slots, np.arange(n), columns_of(*events), reason=reason, base_amount=np.ones(n, np.int64),
        country=np.zeros(n, np.uint16), key_hash=np.ones(n, np.uint64), digest=np.ones(n, np.uint32), idle_ttl_ms=1, watermark_ms=0,
    )  # fmt: skip


def test_read_only_arrays_are_taken(driver, event):
    slots, reason = driver.accounts.slots(Spans.of([b"a"]), np.array([True])), np.zeros(1, np.uint8)
    slots.flags.writeable = reason.flags.writeable = False
    assert raw_fold(driver, slots, [event()], reason).disposition.tolist() == [Disposition.SCORED]


def test_a_run_in_which_nothing_was_admitted_needs_no_account(driver, event):
    slots = driver.accounts.slots(Spans.of([None, b"a"]), np.zeros(2, bool))
    folded = raw_fold(driver, slots, [event()] * 2, np.array([44, 40], np.uint8))
    assert folded.disposition.tolist() == [Disposition.REJECTED] * 2
    assert folded.reason.tolist() == [44, 40]
    assert len(driver.accounts) == 0


def test_a_slot_without_admission_is_a_fault_of_the_caller(driver, event):
    slots = driver.accounts.slots(Spans.of([b"a"]), np.array([True]))
    with pytest.raises(AssertionError, match="exactly when it was admitted"):
        raw_fold(driver, slots, [event()], np.array([44], np.uint8))


def test_every_feature_of_the_catalogue_is_written(event, make_driver):
    rng = np.random.default_rng(3)
    events = [
        event(
            T0 + i * 30_000 + i // 50 * 6 * HOUR,
            int(rng.lognormal(6, 2)),
            i % 9 == 8,
            int(rng.integers(1, 50)) << 50,
            int(rng.integers(1, 20)) << 50,
            int(rng.integers(1, 20)),
            i + 1,
        )
        for i in range(400)
    ]
    written = (make_driver().fold(events).features != 0).any(axis=0)
    assert [f.name for f, w in zip(ACCOUNT_FEATURES, written, strict=True) if not w] == []


def test_every_file_that_is_compiled_into_the_kernel_stands_in_its_cache_key():
    root = Path(monitor.__file__).parent
    found, waiting = set(), ["state/kernels.py"]
    while waiting:
        file = waiting.pop()
        if file in found or file == "errors.py":
            continue
        found.add(file)
        for node in ast.walk(ast.parse((root / file).read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("monitor"):
                names = [node.module] + [f"{node.module}.{alias.name}" for alias in node.names]
                paths = [name.removeprefix("monitor").lstrip(".").replace(".", "/") + ".py" for name in names]
                waiting += [path for path in paths if (root / path).is_file()]
    assert set(COMPILED_IN) == found


def test_numba_keys_its_cache_by_what_a_closure_holds(tmp_path):
    """What `_kernel` relies on: without it, a changed piece would go on running from the cache."""
    (tmp_path / "cached.py").write_text(
        "import numba as nb\n"
        "def make(digest):\n"
        "    def run(x):\n"
        "        _ = digest\n"
        "        return x + 1\n"
        "    return nb.njit(nb.int64(nb.int64), cache=True)(run)\n"
    )
    spec = importlib.util.spec_from_file_location("cached", tmp_path / "cached.py")
    cached = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(cached)
    hits = [sum(cached.make(digest).stats.cache_hits.values()) for digest in ("a", "a", "b")]
    assert hits == [0, 1, 0]


def test_the_kernel_is_compiled_once_a_process():
    warm_up()
    assert kernels._kernel() is kernels._kernel()
