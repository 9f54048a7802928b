import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from monitor.features.catalogue import RISK_NAMES
from monitor.risk.figures import (
    FIGURES,
    LATEST_MS,
    LONG_MS,
    NEVER_AGE,
    NOTHING_KNOWN,
    SHORT_MS,
    SHRINK,
    Seen,
    features_of,
    known_at,
)
from monitor.state.layout import DAY_MS

UNKNOWN = np.iinfo(np.int64).max
NOW = 100 * DAY_MS


def seen(payments):
    """Of (entity, days before NOW, amount, days until the label or None), in any order."""
    ordered = sorted(payments, key=lambda each: -each[1])
    entity, age, amount, delay = (
        (list(column) for column in zip(*ordered, strict=True)) if ordered else ([], [], [], [])
    )
    time = np.array([NOW - round(days * DAY_MS) for days in age], np.int64)
    known = [
        UNKNOWN if days is None else at + round(days * DAY_MS) for at, days in zip(time.tolist(), delay, strict=True)
    ]
    fraud = np.array([days is not None for days in delay], np.bool_)
    return Seen(np.array(entity, np.int64), time, np.array(amount, np.int64), fraud, np.array(known, np.int64))


def by_hand(data, delay_ms, low):
    """The definition, payment by payment."""
    found = {}
    for who in sorted({int(each) for each in data.entity if each >= 0}):
        rows = [
            (int(t), int(a), bool(f) and int(k) < NOW)
            for e, t, a, f, k in zip(
                data.entity, data.event_time, data.amount, data.fraud, data.label_time, strict=True
            )
            if e == who and NOW - delay_ms - LONG_MS <= t < NOW
        ]
        counted = [row for row in rows if row[2] or row[0] < NOW - delay_ms]
        frauds = [row for row in counted if row[2]]
        if not frauds:
            continue
        latest = [row for row in counted if row[0] >= NOW - delay_ms - LATEST_MS]
        short = [row for row in counted if row[0] >= NOW - delay_ms - SHORT_MS]
        streak = 0
        for row in reversed(counted):
            if not row[2]:
                break
            streak += 1
        found[who] = [
            len(latest),
            sum(row[2] for row in latest),
            len(short),
            sum(row[2] for row in short),
            len(counted),
            len(frauds),
            sum(row[1] <= low for row in frauds),
            frauds[0][0],
            frauds[-1][0],
            streak,
        ]
    return found


PAYMENT = st.tuples(
    st.integers(-1, 4), st.floats(-3, 50), st.integers(0, 100), st.one_of(st.none(), st.none(), st.floats(0.001, 20))
)


@given(st.lists(PAYMENT, max_size=60, unique_by=lambda each: each[1]), st.sampled_from([0, 1, 7]))
def test_figures_are_those_counted_by_hand(payments, delay_days):
    data = seen(payments)
    known = known_at(data, NOW, delay_days * DAY_MS, low_amount=50)
    assert dict(zip(known.entity.tolist(), known.figures.tolist(), strict=True)) == by_hand(
        data, delay_days * DAY_MS, 50
    )


@given(st.lists(PAYMENT, min_size=1, max_size=40), st.sampled_from([0, 1, 7]))
def test_nothing_that_becomes_known_or_happens_later_changes_what_was_known(payments, delay_days):
    data = seen(payments)
    later = Seen(
        data.entity,
        data.event_time,
        data.amount,
        np.where(data.label_time >= NOW, ~data.fraud, data.fraud),
        data.label_time,
    )
    past = data.event_time < NOW
    cut = Seen(*(getattr(data, name)[past] for name in ("entity", "event_time", "amount", "fraud", "label_time")))
    whole = known_at(data, NOW, delay_days * DAY_MS, 50)
    for other in (later, cut):
        found = known_at(other, NOW, delay_days * DAY_MS, 50)
        assert found.entity.tolist() == whole.entity.tolist()
        assert found.figures.tolist() == whole.figures.tolist()


def test_features_are_shrunk_shares_and_ages_in_days():
    figures = np.array([[2, 1, 7, 3, 17, 4, 2, NOW - 25 * DAY_MS, NOW - 9 * DAY_MS, 1]])
    made = features_of(figures, np.array([NOW]))
    assert made.shape == (1, len(RISK_NAMES))
    assert figures.shape == (1, len(FIGURES))
    shares = [1 / (2 + SHRINK), 3 / (7 + SHRINK), 4 / (17 + SHRINK), 2 / (17 + SHRINK)]
    now = (1 - (1 - shares[0]) * (1 - shares[1])) / 2
    assert made[0].tolist() == [*shares, 25.0, 9.0, 1.0, now], "25 days after the first fraud it counts half"
    assert NOTHING_KNOWN.tolist() == [0.0, 0.0, 0.0, 0.0, NEVER_AGE, NEVER_AGE, 0.0, 0.0]
