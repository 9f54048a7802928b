"""One simulated stream for all tests that only look at it, and a reader of batches as plain Python rows."""

from dataclasses import fields

import pytest

from monitor.simulate.batch import Batch
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate

SPEC = SimulationSpec(seed=7, transactions=50_000)


@pytest.fixture(scope="session")
def spec() -> SimulationSpec:
    return SPEC


@pytest.fixture(scope="session")
def batches() -> list[Batch]:
    return list(generate(SPEC))


@pytest.fixture(scope="session")
def rows_of():
    """Batches as a list of dicts, one a transaction, text as str and null as None."""

    def read(batches):
        rows = []
        for batch in batches:
            columns = {field.name: getattr(batch, field.name).tolist() for field in fields(batch)}
            rows += [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
        for row in rows:
            row.update({name: cell.decode() or None for name, cell in row.items() if isinstance(cell, bytes)})
        return rows

    return read
