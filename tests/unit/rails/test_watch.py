"""The rails of a worker: which are walled off, what people say over it, and what the pages are told."""

from hypothesis import given
from hypothesis import strategies as st

from monitor.decide.policy import BLOCK
from monitor.rails.limits import RAILS
from monitor.rails.walled import NONE_WALLED
from monitor.wire.columns import CHANNELS
from tests.unit.rails.conftest import Rails

CARD, WALLET = CHANNELS.index("card"), CHANNELS.index("wallet")


def test_a_rail_of_rejects_is_walled_off_and_the_others_do_not_feel_it(rails):
    on = rails(outcome=BLOCK)
    on.send("card", good=500)
    on.send("wallet", good=50, bad=450)
    assert on.state("wallet") == "walled"
    assert on.state("card") == "healthy"
    assert on.watch.walled.channels == {WALLET}
    assert on.watch.walled.name == "wallet=block"


def test_a_walled_rail_opens_again_by_itself_when_it_is_well(rails):
    on = rails(window_s=60, retry_s=30)
    on.send("wallet", bad=200)
    on.wait(61)
    on.send("wallet", good=200)
    assert on.state("wallet") == "recovering"
    assert on.watch.walled.channels == {WALLET}
    on.wait(29)
    assert on.watch.walled.channels == {WALLET}
    on.wait(1)
    assert on.state("wallet") == "healthy"
    assert on.watch.walled == NONE_WALLED
    assert [change[:3] for change in on.watch.take_changes()] == [
        ("wallet", "healthy", "walled"), ("wallet", "walled", "recovering"), ("wallet", "recovering", "healthy"),
    ]  # fmt: skip
    assert on.watch.take_changes() == []


def test_payments_that_are_late_upstream_wall_a_rail_off_and_our_own_lag_does_not(rails):
    on = rails(lag_s=600)
    on.send("transfer", good=200, lag_s=30)
    on.send("card", good=200, lag_s=601)
    on.send("wallet", good=200, lag_s=601, timestamp=-1)
    on.wait(0.2)
    assert [on.state(rail) for rail in ("transfer", "card", "wallet")] == ["healthy", "walled", "healthy"]
    assert on.report("card").seen.lag_s == 600
    assert on.report("wallet").seen.lag_s is None


def test_history_that_is_sent_again_is_late_on_every_rail_and_walls_none_off(rails):
    on = rails(lag_s=600)
    for rail in CHANNELS:
        on.send(rail, good=200, lag_s=86_400)
    on.wait(0.2)
    assert on.watch.walled == NONE_WALLED
    on.send("card", good=1_790, lag_s=1)
    on.wait(0.2)
    assert on.watch.walled == NONE_WALLED, "a tenth of card is late still: it is not on time yet"
    on.send("card", good=30, lag_s=1)
    on.wait(0.2)
    assert on.watch.walled.channels == set(range(len(CHANNELS))) - {CARD}


def test_a_rail_that_was_walled_off_for_lag_opens_when_all_are_late(rails):
    on = rails(lag_s=600, retry_s=10)
    on.send("card", good=200, lag_s=1)
    on.send("wallet", good=200, lag_s=700)
    assert on.state("wallet") == "walled"
    on.send("card", good=200, lag_s=700)
    assert on.state("wallet") == "recovering"
    on.wait(10)
    assert on.state("wallet") == "healthy"


def test_what_cannot_be_decoded_is_of_the_rail_unknown_and_walls_off_no_channel(rails):
    on = rails()
    on.send("card", good=100)
    on.send("unknown", bad=1_000)
    assert on.state("unknown") == "walled"
    assert on.state("card") == "healthy"
    assert on.watch.walled == NONE_WALLED


def test_a_rail_is_dark_when_it_had_been_flowing_and_a_trickle_is_not(rails):
    on = rails(silence_s=300)
    on.send("card", good=100)
    on.send("wallet", good=99)
    on.send("unknown", bad=100)
    on.wait(299)
    assert on.state("card") == "healthy"
    on.wait(1)
    assert [on.state(rail) for rail in ("card", "wallet", "on_chain")] == ["dark", "healthy", "healthy"]
    assert on.state("unknown") != "dark"
    assert on.watch.walled == NONE_WALLED
    assert on.report("card").silence_s == 300
    on.send("card", good=1)
    on.wait(0.2)
    assert on.state("card") == "healthy"


def test_silence_says_nothing_after_partitions_went_elsewhere_and_the_same_ones_again_are_no_news(rails):
    on = rails(silence_s=300)
    on.watch.rebalanced([0, 1])
    on.send("card", good=100)
    on.wait(61)
    on.watch.rebalanced([1, 0])
    on.wait(300)
    assert on.state("card") == "dark"
    on.watch.rebalanced([0])
    assert on.state("card") == "healthy"


def test_what_flowed_before_a_rebalance_does_not_make_a_rail_dark_after_it(rails):
    on = rails(silence_s=300)
    on.watch.rebalanced([0, 1])
    on.send("card", good=100)
    on.watch.rebalanced([0])
    assert on.report("card").silence_s is None
    assert (on.report("card").seen.records, on.report("card").admitted) == (0, 100)
    for _ in range(7):
        on.wait(50)
        assert on.state("card") == "healthy"
    on.send("card", good=100)
    on.wait(50)
    on.wait(250)
    assert on.state("card") == "dark"


def test_a_wall_outlasts_a_rebalance_until_the_rail_was_calm_for_a_while(rails):
    on = rails(retry_s=30)
    on.send("wallet", bad=200)
    on.watch.rebalanced([0])
    assert on.state("wallet") == "recovering"
    on.send("wallet", bad=200)
    assert on.state("wallet") == "walled"


def test_a_person_walls_off_and_opens_and_hands_back(rails):
    on = rails()
    on.send("wallet", bad=200)
    on.watch.judge(on.now_s, {"wallet": "open", "card": "walled"})
    assert on.watch.walled.channels == {CARD}
    assert (on.state("wallet"), on.state("card")) == ("open", "walled")
    assert on.report("card").by_hand
    assert "by a person" in on.report("card").standing.why
    on.watch.judge(on.now_s, {"wallet": "auto"})
    assert on.watch.walled.channels == {WALLET}
    assert not on.report("wallet").by_hand
    assert on.state("card") == "healthy"


def test_what_a_person_says_is_told_once_and_dated_when_it_was_heard(rails):
    on = rails()
    on.watch.judge(on.now_s, {"card": "walled"})
    said_s = on.now_s
    on.wait(50)
    on.watch.judge(on.now_s, {"card": "walled"})
    assert on.report("card").standing.since_s == said_s
    assert len(on.watch.take_changes()) == 1


def test_runs_in_quick_succession_are_judged_together_and_none_is_forgotten(rails):
    on = rails()
    on.send("card", good=1)
    for _ in range(4):
        on.send("wallet", bad=25)
    assert on.watch.walled == NONE_WALLED
    on.now_s += 0.1
    on.send("card", good=1)
    assert on.watch.walled.channels == {WALLET}


def test_walled_stays_the_same_object_while_nothing_changes(rails):
    on = rails()
    on.send("card", bad=100)
    before = on.watch.walled
    on.wait(1)
    assert on.watch.walled is before


def test_a_report_as_json_says_when_on_the_clock_that_people_read(rails):
    on = rails()
    on.send("card", bad=100)
    on.wait(5)
    told = on.report("card").as_json(on.now_s, 1_790_000_000_000)
    assert told["since_ms"] == 1_790_000_000_000 - 5_000
    assert (told["state"], told["records"], told["reject_share"], told["silence_s"]) == ("walled", 100, 1.0, 5.0)
    assert on.report("wallet").as_json(on.now_s, 1)["since_ms"] is None


@given(
    st.lists(st.tuples(st.floats(0, 30), st.sampled_from(RAILS), st.integers(0, 150), st.integers(0, 150)), max_size=40)
)
def test_whatever_comes_a_rail_is_walled_off_exactly_while_it_says_so_and_nobody_else_for_it(steps):
    on = Rails(reject_stop_records=0)
    bad: set[str] = set()
    for passed_s, rail, good, rejected in steps:
        on.now_s += passed_s
        decoded = 0 if rail == "unknown" else good
        on.send(rail, good=decoded, bad=rejected)
        bad |= {rail} if rejected else set()
        states = {each: on.state(each) for each in RAILS}
        walled = {RAILS[place] for place in on.watch.walled.channels}
        assert walled == {each for each in CHANNELS if states[each] in ("walled", "recovering")}
        assert walled <= bad
    ever = {rail: (on.report(rail).admitted, on.report(rail).rejected) for rail in RAILS}
    assert sum(map(sum, ever.values())) == sum(
        (0 if rail == "unknown" else good) + each for _, rail, good, each in steps
    )
