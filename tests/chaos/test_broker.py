"""A broker that is killed, restarted or out of disk, and a network that is slow, narrow, cut or silent between it and a worker."""

import pytest

from tests.chaos import proxy
from tests.chaos.campaign import Round
from tests.chaos.disk import mountable
from tests.chaos.faults import BROKER, NETWORK


@pytest.mark.timeout(400)
def test_a_network_that_fails_and_a_broker_killed_restarted_or_out_of_disk_cost_time_only(endure, ground):
    """One campaign for both, as a workers' start and a checker's pass are most of what each would cost. What cannot be had is skipped, in words."""
    network, disk = ground.proxy is not None, ground.disk is not None
    endure(
        4_000,
        Round(
            workers=[*(NETWORK if network else ()), "SIGSTOP at random"],
            broker=[*BROKER, *(["disk full"] if disk else [])],
        ),
    )
    left_out = [f"NO NETWORK FAULTS: {proxy.available()}"] * (not network) + [f"NO FULL DISK: {mountable()}"] * (
        not disk
    )
    if left_out:
        pytest.skip(f"the others held; {'; '.join(left_out)}")
