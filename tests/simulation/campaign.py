"""Many histories, over all cores: each process takes the streams that are its own, so that every stream is made once."""

import gc
import logging
import multiprocessing
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait

from tests.simulation.faults import Tally
from tests.simulation.history import run
from tests.simulation.streams import STREAMS
from tests.simulation.worker import Parts

REPORT_EVERY = 100
"""Histories."""

COLLECT_EVERY = 20
"""Histories: each is garbage all at once, and a young collection looks at nothing else."""


@dataclass
class Campaign:
    """What came of `histories` of them; `violations`: seed -> what was wrong."""

    histories: int = 0
    tally: Tally = field(default_factory=Tally)
    violations: dict[int, list[str]] = field(default_factory=dict)

    def add(self, other: "Campaign") -> None:
        """Take another's in."""
        self.histories += other.histories
        self.tally.add(other.tally)
        self.violations.update(other.violations)


def campaign(
    seed: int, histories: int, jobs: int | None = None, tell: Callable[[Campaign], None] = lambda _: None
) -> Campaign:
    """Run histories `seed` to `seed + histories - 1` in `jobs` processes, one a core by default; `tell` hears of each part as it ends."""
    jobs = jobs or os.cpu_count() or 1
    fork = multiprocessing.get_context("fork")
    pipes: list[Connection] = []
    processes = []
    for job in range(jobs):
        ours, theirs = fork.Pipe(duplex=False)
        processes.append(fork.Process(target=_work, args=(theirs, seed, histories, job, jobs), daemon=True))
        processes[-1].start()
        theirs.close()
        pipes.append(ours)
    whole = Campaign()
    while pipes:
        for pipe in wait(pipes):
            assert isinstance(pipe, Connection)
            try:
                part: Campaign = pipe.recv()
            except EOFError:
                pipes.remove(pipe)
                continue
            whole.add(part)
            tell(part)
    for process in processes:
        process.join()
    assert whole.histories == histories, (
        f"{histories - whole.histories} histories were not run: a process of the campaign died"
    )
    return whole


def share(seed: int, histories: int, job: int, jobs: int) -> Iterator[int]:
    """The seeds of one process, stream by stream: what is known of one is looked up for all its histories."""
    for number in range(job, STREAMS, jobs):
        yield from range(seed + (number - seed) % STREAMS, seed + histories, STREAMS)


def _work(pipe: Connection, seed: int, histories: int, job: int, jobs: int) -> None:
    quiet()
    gc.disable()
    part = Campaign()
    for each in share(seed, histories, job, jobs):
        outcome = run(each)
        part.histories += 1
        part.tally.add(outcome.tally)
        if outcome.problems:
            part.violations[each] = outcome.problems
        if part.histories == REPORT_EVERY:
            pipe.send(part)
            part = Campaign()
        if part.histories % COLLECT_EVERY == 0:
            gc.collect(0)
    pipe.send(part)
    pipe.close()


def quiet() -> None:
    """A process that is killed leaves coroutines behind that nobody awaits; and workers have much to say."""
    logging.disable(logging.CRITICAL)
    warnings.filterwarnings("ignore", message="coroutine .* was never awaited", category=RuntimeWarning)


def histories_until_found(parts: Parts, seed: int, most: int) -> tuple[int, list[str]]:
    """How many histories, beginning with that of `seed`, it takes until one goes wrong, and how; (`most`, []) when none does."""
    quiet()
    for count in range(1, most + 1):
        problems = run(seed + count - 1, parts).problems
        if problems:
            return count, problems
    return most, []
