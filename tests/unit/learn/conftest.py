import pytest

from monitor.learn.dataset import replay
from monitor.learn.sources import SimulatedSource
from monitor.money.exchange import load_exchange
from monitor.simulate.spec import SimulationSpec


@pytest.fixture(scope="session")
def exchange():
    return load_exchange(None)


@pytest.fixture(scope="session")
def data(exchange):
    """9,000 simulated transactions, replayed."""
    return replay(SimulatedSource(SimulationSpec(seed=5, transactions=9_000)).slices(), exchange)
