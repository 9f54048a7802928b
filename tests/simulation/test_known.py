"""What is looked up is what would have been computed, and a history is the same with it or without."""

from contextlib import nullcontext
from copy import deepcopy
from unittest.mock import patch

import numpy as np

from monitor import pipeline
from monitor.state.accounts import Accounts
from monitor.wire.records import Spans
from tests.simulation import known
from tests.simulation.history import run
from tests.simulation.streams import STREAMS

SEEDS = [3 + STREAMS * turn for turn in range(40)]
"""Histories of one stream."""


def test_a_run_that_is_looked_up_leaves_behind_what_the_pipeline_makes_of_it():
    looked_up = []

    def both(run_, accounts, position, context, now_ms, lap):
        copy, before = deepcopy(accounts), len(known._runs)
        decided = known.decide_run(run_, accounts, position, context, now_ms, lap)
        looked_up.append(len(known._runs) == before)
        again = pipeline.decide_run(run_, copy, position, context, now_ms)
        assert decided.messages == again.messages
        assert decided.position == again.position
        assert known.held(accounts) == known.held(copy)
        return decided

    with patch.object(known._Deciding, "decide_run", staticmethod(both)):
        assert not any(run(seed).problems for seed in SEEDS)
    assert sum(looked_up) > 20
    assert not all(looked_up)


def test_a_history_is_the_same_whether_its_work_is_looked_up_or_done():
    with_it = [run(seed) for seed in SEEDS[:20]]
    with patch.object(known, "at_hand", nullcontext):
        without = [run(seed) for seed in SEEDS[:20]]
    assert [(each.events, each.tally.kinds, each.problems) for each in with_it] == [
        (each.events, each.tally.kinds, each.problems) for each in without
    ]


def test_accounts_that_differ_in_one_byte_are_not_the_same():
    accounts = Accounts()
    accounts.slots(Spans.of([b"a", b"b"]), np.array([True, True]))
    before = known.held(accounts)
    accounts.records["last_offset"][1] += 1
    assert known.held(accounts) != before
