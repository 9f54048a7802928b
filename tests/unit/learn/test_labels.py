import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import DatasetError
from monitor.learn.labels import FRAUD, GENUINE, Label, Verdicts
from monitor.learn.payments import UNKNOWN
from monitor.wire.records import Spans


def label(transaction, verdict, time):
    return Label(transaction, "a", None, verdict, time, "analyst")


def test_the_last_verdict_counts_from_when_on_it_stands():
    found = Verdicts.of(
        [
            label("t", FRAUD, 5),
            label("t", FRAUD, 9),
            label("u", FRAUD, 5),
            label("u", GENUINE, 6),
            label("u", GENUINE, 8),
        ]
    )
    assert found.known == {b"t": (True, 5), b"u": (False, 6)}


@given(st.lists(st.tuples(st.sampled_from("tu"), st.sampled_from([FRAUD, GENUINE]), st.integers(0, 9)), max_size=12))
def test_neither_order_nor_repetition_matters(entries):
    labels = [label(*each) for each in entries]
    try:
        once = Verdicts.of(labels).known
    except DatasetError:
        with pytest.raises(DatasetError):
            Verdicts.of(labels[::-1])
        return
    assert Verdicts.of([*labels[::-1], *labels]).known == once


def test_two_verdicts_of_one_moment_contradict_each_other():
    with pytest.raises(DatasetError, match="transaction t is fraud and genuine at 5"):
        Verdicts.of([label("t", GENUINE, 5), label("t", FRAUD, 5)])


def test_transactions_that_nobody_labelled_are_genuine_and_it_is_not_known_since_when():
    verdicts = Verdicts.of([label("t", FRAUD, 5), label("u", GENUINE, 6), label("x", FRAUD, 7)])
    fraud, known, count = verdicts.of_transactions(Spans.of([b"u", b"v", b"t", None]))
    assert fraud.tolist() == [False, False, True, False]
    assert known.tolist() == [6, UNKNOWN, 5, UNKNOWN]
    assert (count, len(verdicts)) == (2, 3)
    assert known.dtype == np.int64
