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
def test_workers_killed_at_every_named_point_and_at_random_lose_nothing_and_repeat_nothing(endure):
    names = [f"kill -9 at {point}" for point in POINTS]
    campaign = endure(9_000, Round(workers=[*names, *["kill -9 at random"] * 3]))
    assert {each.fault for lane in campaign.stage.lanes for each in lane.ended if each.code == KILLED} >= set(names)
    assert campaign.stage.missed == []


@pytest.mark.timeout(300)
def test_a_worker_that_wakes_with_a_transaction_open_after_others_took_over_is_fenced_and_leaves(endure):
    campaign = endure(3_000, Round(workers=["SIGSTOP at run_produced"]), Round(workers=["SIGSTOP at random"]))
    assert codes(campaign, "SIGSTOP at run_produced")[FENCED] == 1
    said = [each.why for lane in campaign.stage.lanes for each in lane.ended if each.code == FENCED]
    assert any("another worker owns this partition" in why for why in said), said


@pytest.mark.timeout(300)
def test_a_rolling_restart_and_a_third_worker_that_comes_and_goes_fence_nobody(endure):
    faults = ["rebalance: rolling restart", "rebalance: join, leave", "rebalance: rolling restart"]
    campaign = endure(3_000, Round(group=faults))
    for name in set(faults):
        assert set(codes(campaign, name)) == {0}
    assert campaign.generations >= 5


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_fifty_rebalances_under_load_fence_nobody(endure):
    faults = ["rebalance: rolling restart"] * 15 + ["rebalance: join, leave"] * 10
    campaign = endure(60_000, Round(group=faults))
    assert campaign.generations >= 50
    for name in set(faults):
        assert set(codes(campaign, name)) == {0}
