"""`monitor demo`, from the command line to its last line, on each kind of broker."""

import json
import subprocess
import sys

import pytest

from monitor.embedded.kafka import EmbeddedKafka, available

TRANSACTIONS = 6_000
LAST_LINE = {
    "transactions_in",
    "scored",
    "duplicates",
    "dead_letters",
    "alerts",
    "withheld",
    "seconds",
    "precision",
    "recall",
}


@pytest.fixture
def broker(request: pytest.FixtureRequest) -> str:
    """What `--broker` is given."""
    if request.param == "HOST:PORT":
        running: EmbeddedKafka = request.getfixturevalue("kafka")
        return running.bootstrap
    if request.param == "kafka" and not available():
        pytest.skip(f"NO REAL KAFKA: {available().why}")
    return request.param


@pytest.mark.parametrize("broker", ["mock", "kafka", "HOST:PORT"], indirect=True)
def test_the_demo_accounts_for_every_transaction_and_finds_fraud(broker):
    command = [sys.executable, "-m", "monitor", "demo", "--broker", broker, "-n", str(TRANSACTIONS), "--exit", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert set(summary) >= LAST_LINE
    assert summary["transactions_in"] == TRANSACTIONS
    assert summary["transactions_in"] == summary["scored"] + summary["duplicates"] + summary["dead_letters"]
    assert summary["alerts"] > 0
    assert summary["recall"] > 0


def test_a_demo_on_a_broker_that_is_not_there_names_it_and_leaves_with_its_exit_code():
    command = [sys.executable, "-m", "monitor", "demo", "--broker", "127.0.0.1:1", "--exit", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 69, done.stderr
    assert "127.0.0.1:1" in done.stderr
