"""The cool-down against a slow, obvious model of it, however the stream is cut into runs."""

from dataclasses import dataclass, field

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from monitor.decide.cooldown import cool_down
from monitor.decide.policy import APPROVE, BLOCK, REVIEW
from monitor.state.dispositions import Disposition, Flag, Held
from monitor.state.layout import ACCOUNT

COOLDOWN = 100_000
T0 = 1_790_000_000_000


@dataclass
class Burst:
    """What the model knows of one account: the alerts that began its cool-downs, and what was withheld since."""

    at: int = 0
    late_at: int = 0
    withheld: int = 0


@dataclass
class Model:
    bursts: dict[int, Burst] = field(default_factory=dict)

    def meet(self, account, t, outcome, held, first, scored):
        """(what became of it, how many are told, whether it is in a burst)."""
        if not scored:
            return held, 0, False
        if first:
            self.bursts[account] = Burst()
        burst = self.bursts.setdefault(account, Burst())
        if held != Held.SENT:
            return held, 0, False
        late = burst.at and t - burst.at <= -COOLDOWN
        begun = burst.late_at if late else burst.at
        lasting = begun and abs(t - begun) < COOLDOWN
        if outcome == APPROVE:
            over = burst.withheld and burst.at and t - burst.at >= COOLDOWN
            told = burst.withheld if over else 0
            if over:
                self.bursts[account] = Burst()
            return (Held.SUMMARY if over else Held.SENT), told, False
        if lasting and outcome == REVIEW:
            burst.withheld += 1
            return Held.COOLING, 0, False
        if lasting:
            return Held.SENT, 0, True
        if late:
            burst.late_at = t
            return Held.SENT, 0, False
        self.bursts[account] = Burst(t, burst.late_at)
        return Held.SENT, burst.withheld, False


EVENT = st.tuples(
    st.integers(0, 2),  # account
    st.integers(0, 6).map(lambda steps: T0 + steps * COOLDOWN // 2),
    st.sampled_from([APPROVE, REVIEW, REVIEW, BLOCK]),
    st.sampled_from([Held.SENT] * 6 + [Held.SUPPRESSED]),
    st.sampled_from([False] * 8 + [True]),  # the account begins anew
    st.sampled_from([True] * 6 + [False]),  # scored
)


def run(records, events, cooldown=COOLDOWN):
    accounts, times, outcomes, held, first, scored = zip(*events, strict=True)
    held = np.array([code if outcome != APPROVE else 0 for code, outcome in zip(held, outcomes, strict=True)], np.uint8)
    told, in_burst = cool_down(
        records,
        np.array(accounts, np.int64),
        np.array(times, np.int64),
        np.where(scored, int(Disposition.SCORED), int(Disposition.DUPLICATE)).astype(np.uint8),
        np.where(first, int(Flag.FIRST), 0).astype(np.uint16),
        np.array(outcomes, np.uint8),
        held,
        cooldown,
    )
    return list(zip(held.tolist(), told.tolist(), in_burst.tolist(), strict=True))


@given(st.lists(EVENT, min_size=1, max_size=30), st.integers(1, 30))
def test_it_does_what_the_model_does_however_the_stream_is_cut(events, size):
    model, records, made = Model(), np.zeros(3, ACCOUNT), []
    expected = [
        model.meet(account, t, outcome, held if outcome != APPROVE else Held.SENT, first, scored)
        for account, t, outcome, held, first, scored in events
    ]
    for at in range(0, len(events), size):
        made += run(records, events[at : at + size])
    assert made == [(int(held), told, burst) for held, told, burst in expected]
    for account, burst in model.bursts.items():
        kept = records[account]
        assert (kept["alerted_at"], int(kept["late_alerted_at"]) * 1000, kept["withheld"]) == (
            burst.at,
            burst.late_at,
            burst.withheld,
        )


def reviews(times):
    return [(0, t, REVIEW, Held.SENT, False, True) for t in times]


def test_a_burst_is_one_alert_and_the_first_payment_after_it_tells_the_count():
    records = np.zeros(1, ACCOUNT)
    burst = run(records, reviews([T0 + each % COOLDOWN for each in range(1_840)]))
    assert [held for held, _, _ in burst].count(int(Held.SENT)) == 1
    after = (0, T0 + COOLDOWN, APPROVE, Held.SENT, False, True)
    assert run(records, [after, after]) == [(int(Held.SUMMARY), 1_839, False), (int(Held.SENT), 0, False)]


def test_an_alert_after_the_cool_down_tells_the_count_itself_and_begins_another():
    records = np.zeros(1, ACCOUNT)
    made = run(records, reviews([T0, T0 + 1, T0 + COOLDOWN, T0 + COOLDOWN + 1]))
    assert made == [(0, 0, False), (int(Held.COOLING), 0, False), (0, 1, False), (int(Held.COOLING), 0, False)]


def test_a_block_is_never_withheld_and_says_that_it_is_part_of_a_burst():
    records = np.zeros(1, ACCOUNT)
    blocks = [(0, T0 + each, BLOCK, Held.SENT, False, True) for each in range(3)]
    assert run(records, reviews([T0]) + blocks) == [(0, 0, False), (0, 0, True), (0, 0, True), (0, 0, True)]


def test_a_backlog_that_comes_late_is_one_alert_a_cool_down_too():
    records = np.zeros(1, ACCOUNT)
    backlog = [T0 - 10 * COOLDOWN + each * COOLDOWN // 10 for each in range(80)]
    made = run(records, reviews([T0, *backlog]))
    assert [held for held, _, _ in made].count(int(Held.SENT)) == 1 + 8


def test_without_a_cool_down_everything_is_sent_and_what_was_withheld_before_is_told():
    records = np.zeros(1, ACCOUNT)
    run(records, reviews([T0, T0 + 1]))
    assert run(records, reviews([T0 + 2, T0 + 2]), cooldown=0) == [(0, 1, False), (0, 0, False)]
    assert records.tobytes() == np.zeros(1, ACCOUNT).tobytes(), "accounts remember nothing of alerts"
