"""A broker that is killed, restarted or out of disk, and a network that is slow, narrow, cut or silent between it and a worker."""

import pytest

from tests.chaos.campaign import Round
from tests.chaos.faults import NETWORK


@pytest.mark.timeout(300)
def test_a_broker_killed_and_a_broker_restarted_cost_time_only(endure):
    endure(3_000, Round(broker=["broker kill -9", "broker bounce"]))


@pytest.mark.timeout(300)
def test_a_full_disk_under_the_brokers_log_costs_time_only(endure, small_disk):
    endure(3_000, Round(broker=["disk full"]))


@pytest.mark.timeout(300)
def test_a_network_that_is_slow_narrow_cut_or_silent_costs_time_only(endure, proxied):
    endure(3_000, Round(workers=[*NETWORK]))
