"""Restarts and rebalances under load: nothing lost, nothing twice, and state bit-equal to an uninterrupted run."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.verdict import reconcile, violations

SMALL_FETCHES = {"fetch_max_bytes": 20_000, "max_run_records": 200}


@contextmanager
def cpu_load(processes: int = 2) -> Iterator[None]:
    """Keep every core busy."""
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def check(installation, count):
    """What the checker says once the workers have stopped: all of it decided once, and the state as if nothing had happened."""
    installation.wait_group_at_end()
    running = [worker for worker in installation.workers if worker.process.poll() is None]
    assert {worker.stop() for worker in running} == {0}
    found = reconcile(installation)
    assert violations(found, count) == []
    assert found["transactions"] == count
    assert found["alerts"] > 0


def test_restarts_under_cpu_load_with_small_fetches_leave_the_state_of_an_uninterrupted_run(
    install, transactions, wait_until
):
    """TRAPS: Faust resumes partitions before it seeks; under load, with small fetches, records were dropped or applied twice."""
    installation = install(partitions=2)
    messages = transactions(12_000, accounts=300)
    installation.produce(messages[:6_000])
    with cpu_load():
        for restart in range(4):
            worker = installation.start(**SMALL_FETCHES)
            worker.wait_ready()
            decided = sum(block.records for block in installation.blocks())
            at_least = min(decided + 900, 6_000 + 1_500 * restart)
            wait_until(lambda least=at_least: sum(b.records for b in installation.blocks()) >= least, 60, worker.tail)
            if restart % 2:
                worker.stop()
            else:
                worker.kill()
            installation.produce(messages[6_000 + restart * 1_500 : 6_000 + (restart + 1) * 1_500])
        installation.start(**SMALL_FETCHES)
        installation.wait_decided()
    check(installation, 12_000)


def test_workers_share_the_partitions_and_a_third_that_comes_and_goes_loses_nothing(install, transactions, wait_until):
    installation = install(partitions=4)
    messages = transactions(40_000)
    two = [installation.start(max_run_records=500), installation.start(max_run_records=500)]
    for worker in two:
        worker.wait_ready()
    wait_until(lambda: all(len(held(worker)) == 2 for worker in two), 60, two[0].tail)

    failed = []
    feeding = threading.Thread(target=lambda: feed(installation, messages, failed))
    feeding.start()
    third = installation.start(max_run_records=500)
    third.wait_ready()
    wait_until(lambda: held(third), 60, third.tail)
    assert third.stop() == 0
    feeding.join()
    assert not failed
    wait_until(lambda: all(len(held(worker)) == 2 for worker in two), 60, two[0].tail)
    installation.wait_decided()
    check(installation, 40_000)


def feed(installation, messages, failed):
    try:
        for at in range(0, len(messages), 2_000):
            installation.produce(messages[at : at + 2_000])
    except BaseException as error:
        failed.append(error)


def held(worker):
    """The partitions that a worker has, by its own /ready."""
    detail = httpx.get(f"{worker.url()}/ready").json()
    return detail["recovered"]
