"""kill -9 of workers at random moments, and a broker that goes away: the outcome is that of one quiet pass."""

import random
import threading
from collections import Counter

import pytest

KILLS = 8
SEED = 5


def check(installation, count):
    """Every record decided once, each alert once, and the state of an uninterrupted run."""
    blocks = installation.blocks()
    decided = Counter((block.partition, offset) for block in blocks for offset in block.decisions["offset"].tolist())
    assert len(decided) == count
    assert set(decided.values()) == {1}
    reference = installation.reference()
    alerts = Counter(
        dict(message.headers())["ce_id"] for message in installation.read(installation.settings.topic_alerts)
    )
    assert len(alerts) == len(reference.alerts) > 0
    assert set(alerts.values()) == {1}
    assert installation.state() == reference.state


@pytest.mark.timeout(420)
def test_two_workers_killed_again_and_again_lose_nothing_and_repeat_nothing(install, transactions, wait_until):
    installation = install(partitions=4)
    messages, chance = transactions(40_000), random.Random(SEED)
    done = threading.Event()

    def feed():
        try:
            for at in range(0, len(messages), 500):
                installation.produce(messages[at : at + 500])
        finally:
            done.set()

    running = [installation.start(max_run_records=300) for _ in range(2)]
    feeding = threading.Thread(target=feed)
    feeding.start()
    for _ in range(KILLS):
        victim = chance.randrange(2)
        running[1 - victim].wait_ready()
        before = sum(block.records for block in installation.blocks())
        goal = min(before + chance.randrange(300, 3_000), 39_000)
        wait_until(
            lambda goal=goal: sum(block.records for block in installation.blocks()) >= goal or done.is_set(),
            120,
            running[1 - victim].tail,
        )
        running[victim].kill()
        running[victim] = installation.start(max_run_records=300)
    feeding.join()
    installation.wait_decided()
    check(installation, 40_000)
