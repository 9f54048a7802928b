import numpy as np

from monitor.effects.shadow import ShadowBlock
from monitor.learn.labels import Verdicts
from monitor.learn.shadow_report import shadow_report
from monitor.state.layout import DAY_MS

NOBODY = Verdicts({})


def block(first, ours, theirs, candidate="b", partition=0, ids=True, days=(0, 1)):
    n = len(ours)
    alerts = [(row, f"t-{first + row}", "a") for row in range(n) if ids and (ours[row] or theirs[row])]
    scores = [np.array(each, np.float32) / 2 for each in (ours, theirs)]
    return ShadowBlock(
        "a", candidate, "", "", "t", "id", partition, first, first + n - 1, days[0] * DAY_MS + 1, days[1] * DAY_MS + 1,
        np.arange(first, first + n), *scores, np.array(ours, np.uint8), np.array(theirs, np.uint8), alerts,
    )  # fmt: skip


def test_agreement_is_counted_by_outcome_and_what_differs_is_shown():
    found = shadow_report([block(0, [0, 1, 2, 0], [0, 1, 0, 2]), block(4, [0, 0], [1, 0], days=(1, 3))], "b", NOBODY)
    assert found.agreement.tolist() == [[2, 1, 1], [0, 1, 0], [1, 0, 0]]
    assert found.alerts() == (2, 3)
    assert (found.transactions, found.days, found.missed) == (6, 3.0, 0)
    assert [(each.transaction_id, each.champion, each.candidate) for each in found.differing] == [
        ("t-2", "block", "approve"),
        ("t-3", "approve", "block"),
        ("t-4", "approve", "review"),
    ]
    assert {each.fraud for each in found.differing} == {None}


def test_each_offset_counts_once_whatever_was_recorded_twice_or_again_in_other_runs():
    whole = [block(0, [0, 1, 2, 0], [0, 1, 0, 2])]
    again = [*whole, block(0, [0, 1], [0, 1]), *whole, block(3, [0], [2])]
    once, often = (shadow_report(each, "b", NOBODY) for each in (whole, again))
    assert often.agreement.tolist() == once.agreement.tolist()
    assert often.differing == once.differing
    assert (once.repeated, often.repeated) == (0, 7)


def test_other_candidates_are_left_out_and_holes_are_counted():
    found = shadow_report(
        [block(0, [0], [1], "c"), block(10, [0, 0], [0, 0]), block(20, [0], [0]), block(5, [1], [1], partition=1)],
        "b",
        NOBODY,
    )
    assert found.transactions == 4
    assert found.missed == 8


def test_labels_say_whose_alerts_were_right():
    verdicts = Verdicts({b"t-1": (True, 5), b"t-2": (False, 5), b"t-3": (True, 5), b"t-0": (True, 5)})
    found = shadow_report([block(0, [0, 1, 2, 0], [0, 1, 0, 2])], "b", verdicts)
    assert found.confirmed == {
        ("champion", True): 1,
        ("champion", False): 1,
        ("candidate", True): 2,
    }
    assert {each.transaction_id: each.fraud for each in found.differing} == {"t-2": False, "t-3": True}


def test_nothing_is_a_report_of_nothing():
    found = shadow_report([], "b", NOBODY)
    assert (found.transactions, found.alerts(), found.differing) == (0, (0, 0), [])
