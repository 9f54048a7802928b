"""Where payments to learn from come from: files, or the simulator. Each is read in slices, in order, as often as asked."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from monitor.learn.payments import Payments, payments_of
from monitor.learn.play import HASH_KEY
from monitor.learn.tables import Tables
from monitor.simulate.batch import Batch
from monitor.simulate.files import table
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate
from monitor.wire import columns as cells
from monitor.wire.columns import Columns


class Source(Protocol):
    """`rows`: how many payments there are; all of them happened from `first_ms` on and before `end_ms`; `title` for people; `about` for manifests."""

    @property
    def rows(self) -> int: ...
    @property
    def first_ms(self) -> int: ...
    @property
    def end_ms(self) -> int: ...
    @property
    def title(self) -> str: ...
    @property
    def about(self) -> dict[str, Any]: ...

    def slices(self) -> Iterator[Payments]:
        """All of them, in order, a bounded number at a time. Raises `DatasetError`."""
        ...


class FileSource:
    """Parquet or CSV files, in event-time order whatever theirs is. Raises `DatasetError` when they are not what is documented."""

    def __init__(self, paths: Sequence[Path], from_ms: int | None = None, to_ms: int | None = None) -> None:
        self._tables = Tables.open(paths, from_ms, to_ms)
        self.rows, self.first_ms, self.end_ms = self._tables.rows, self._tables.first_ms, self._tables.last_ms + 1
        self.title = self._tables.where
        self.about = {"source": "files", "files": [path.name for path in paths]}

    def slices(self) -> Iterator[Payments]:
        """All of them."""
        return self._tables.slices(HASH_KEY)


class SimulatedSource:
    """A simulation, in order of arrival."""

    def __init__(self, spec: SimulationSpec) -> None:
        self._spec = spec
        self.rows, self.first_ms, self.end_ms = spec.transactions, spec.start_ms, spec.end_ms
        self.title = f"the simulation of seed {spec.seed}"
        self.about = {"source": "simulator", "seed": spec.seed, "transactions": spec.transactions}

    def slices(self) -> Iterator[Payments]:
        """All of them."""
        return simulated(generate(self._spec))


def simulated(batches: Iterable[Batch]) -> Iterator[Payments]:
    """The simulator's batches as payments, each by way of the table that its file would have."""
    for batch in batches:
        yield payments_of(table(batch), HASH_KEY, "the simulator's batch")


def identified(source: Source, rows: Sequence[int]) -> dict[int, tuple[str, str]]:
    """(transaction id, account id) of the payments `rows` of the source, by row. Reads the source once more."""
    wanted, found, first = sorted(rows), dict[int, tuple[str, str]](), 0
    for part in source.slices() if wanted else ():
        columns = part.columns
        while wanted and wanted[0] < first + len(part):
            row = wanted.pop(0)
            found[row] = (
                _text(columns, cells.TRANSACTION_ID, row - first),
                _text(columns, cells.ACCOUNT_ID, row - first),
            )
        first += len(part)
    return found


def _text(columns: Columns, field: int, row: int) -> str:
    start, length = int(columns.starts[field][row]), int(columns.lengths[field][row])
    return columns.data[start : start + max(length, 0)].tobytes().decode("utf-8", "replace")
