"""Workers that are killed, frozen, moved: every transaction is decided once, and the state is that of one quiet pass."""

import signal

import pytest

from monitor.failpoints import POINTS
from tests.chaos.campaign import Round

KILLED = -signal.SIGKILL
FENCED = 75


def codes(campaign, fault):
    return campaign.stage.crew.exits()[fault]


@pytest.mark.timeout(400)
def test_workers_killed_at_every_named_point_or_woken_with_a_transaction_open_lose_nothing_and_repeat_nothing(endure):
    """The zombie comes in a round of its own: the others are to take over from it."""
    kills = [f"kill -9 at {point}" for point in POINTS]
    freeze = "SIGSTOP at run_produced"
    campaign = endure(9_000, Round(workers=[*kills, "kill -9 at random"]), Round(workers=[freeze]))
    assert campaign.stage.missed == []
    assert {name for name in kills if codes(campaign, name)[KILLED] == 0} == set()
    assert codes(campaign, freeze) == {FENCED: 1}
    said = [each.why for lane in campaign.stage.lanes for each in lane.ended if each.fault == freeze]
    assert all("another worker owns this partition" in why for why in said), said


@pytest.mark.timeout(300)
def test_a_rolling_restart_and_a_third_worker_that_comes_and_goes_fence_nobody(endure):
    faults = ["rebalance: rolling restart", "rebalance: join, leave"]
    campaign = endure(8_000, Round(group=faults))
    for name in faults:
        assert set(codes(campaign, name)) == {0}
    assert campaign.generations >= 4


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_fifty_rebalances_under_load_fence_nobody(endure):
    faults = ["rebalance: rolling restart"] * 15 + ["rebalance: join, leave"] * 10
    campaign = endure(60_000, Round(group=faults))
    assert campaign.generations >= 50
    for name in set(faults):
        assert set(codes(campaign, name)) == {0}
