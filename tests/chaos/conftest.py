"""The ground of the chaos tests, and `endure`: faults on an installation of a test's own, and what the checker says after them."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from monitor.embedded.kafka import available
from tests.chaos import proxy
from tests.chaos.campaign import Campaign, Round, reasons
from tests.chaos.disk import mountable
from tests.chaos.stage import Ground, Stage
from tests.verdict import reconcile, violations

SEED = 5
DISK_MIB = 2_048


@pytest.fixture(scope="session")
def ground() -> Iterator[Ground]:
    """A broker that may be killed and starved, with a proxied way to it for each of three workers where that can be had."""
    can = available()
    if not can:
        pytest.skip(f"NO REAL KAFKA: {can.why}")
    # A cleaner that looks often: a test waits for compaction.
    cleaner = {"log.cleaner.backoff.ms": "300"}
    made = Ground(3, proxied=not proxy.available(), disk_mib=0 if mountable() else DISK_MIB, **cleaner)
    yield made
    made.close()


@pytest.fixture
def endure(ground: Ground, topic_prefix: str) -> Iterator[Callable[..., Campaign]]:
    """`endure(8_000, Round(workers=[...], group=[...], broker=[...]), ...)`: two workers, that stream, those faults; nothing is wrong.

    The campaign comes back for what else a test wants to know.
    """
    with ExitStack() as stack:

        def run(least: int, *rounds: Round) -> Campaign:
            stage = stack.enter_context(Stage(ground, topic_prefix))
            stage.start_workers()
            campaign = Campaign(stage, SEED, least, rounds, sys.stdout)
            campaign.run()
            campaign.finish()
            for why, count in reasons(each for lane in stage.lanes for each in lane.ended).items():
                print(f"left by itself, {count} x {why}")
            found = reconcile(stage.installation)
            assert campaign.tally.wrong + violations(found, campaign.feed.confirmed) == []
            return campaign

        yield run
