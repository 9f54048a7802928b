"""Histories of crashes against the protocol of a run, in memory: whatever dies when, the outcome is that of one quiet pass.

What holds here holds for the logic. That Kafka keeps its side (one transaction a run, fencing) is for tests/integration.
"""

import random
from collections.abc import Callable

import pytest

from monitor.effects.audit import position_of, verify_block
from monitor.effects.block import read_block

QUIET_RUN = 500


def decide_all(partition, choose_size: Callable[[], int], crashes: Callable[[], str]) -> int:
    """Work through the log. A crash takes all memory; `before` a commit the run was never there, `after` it all of it was."""
    accounts, position = partition.recover()
    crashed = 0
    while position.last_offset + 1 < len(partition.records):
        decided = partition.decide(accounts, position, choose_size())
        crash = crashes()
        if crash != "before":
            partition.commit(decided)
            position = decided.position
        if crash:
            crashed += 1
            accounts, position = partition.recover()
    return crashed


def state(partition):
    """The last changelog record of each account."""
    return {message.key: message.value for message in partition.of(partition.context.names.changelog)}


def outputs(partition):
    """Alerts, and dead letters, each in order, as a reader finds them."""
    names = partition.context.names
    return [[(m.key, m.value, m.headers) for m in partition.of(topic)] for topic in (names.alerts, names.dlq)]


@pytest.fixture(scope="session")
def quiet(partition):
    """One pass in which nothing happens."""
    done = partition()
    decide_all(done, lambda: QUIET_RUN, lambda: "")
    return done


def test_the_quiet_pass_alerts_and_dead_letters_so_that_histories_can_lose_some(quiet):
    names = quiet.context.names
    assert len(quiet.of(names.alerts)) > 30
    assert len(quiet.of(names.dlq)) > 30


@pytest.mark.parametrize("seed", range(8))
def test_crashes_lose_nothing_repeat_nothing_and_leave_the_same_state(seed, partition, quiet):
    chance = random.Random(seed)
    history = partition()
    crashed = decide_all(
        history, lambda: chance.choice([1, 7, 60, 400]), lambda: chance.choices(["", "before", "after"], [8, 1, 1])[0]
    )
    assert crashed > 0
    assert state(history) == state(quiet)
    assert outputs(history) == outputs(quiet)


@pytest.mark.parametrize("seed", range(3))
def test_the_audit_log_of_a_history_is_one_unbroken_chain_that_covers_every_record(seed, partition):
    chance = random.Random(seed)
    history = partition()
    decide_all(
        history, lambda: chance.choice([1, 50, 300]), lambda: chance.choices(["", "before", "after"], [6, 1, 1])[0]
    )
    previous, covered = None, []
    for message in history.of(history.context.names.audit):
        block = read_block(message.value)
        verify_block(block, previous)
        previous = position_of(block)
        covered += block.decisions["offset"].tolist()
    assert covered == [record.offset for record in history.records]
