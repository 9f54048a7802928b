"""A progress bar for replays: how far each source is, and what is being done with it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from monitor.learn.sources import Source


@contextmanager
def watched(console: Console, sources: Sequence[Source]) -> Iterator[Callable[[str, int], None]]:
    """A bar over all rows of `sources`; what it yields is told what is done now, and how many rows of it were."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("replay", total=sum(source.rows for source in sources))

        def told(what: str, rows: int = 0) -> None:
            progress.update(task, description=what, advance=rows)

        yield told
