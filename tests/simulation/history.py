"""One history: an installation of two workers or three, a stream, and the faults that its seed draws; what it leaves is checked."""

from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

from tests.simulation import faults, known
from tests.simulation.broker import Broker
from tests.simulation.checks import problems_of
from tests.simulation.faults import Plan, Tally
from tests.simulation.group import SESSION_S, Group
from tests.simulation.streams import STREAMS, Stream, settings, stream
from tests.simulation.worker import Parts, Worker
from tests.simulation.world import Endless, World

LIMIT_S = 300.0
"""Virtual seconds by which a history has come to its end: everything is decided, and the group's offset says so."""

WORKERS = 2


@dataclass
class Outcome:
    """What a history came to: `problems` in words, none when all is as it should be; `events` that happened in it."""

    seed: int
    tally: Tally
    problems: list[str] = field(default_factory=list)
    events: int = 0


class Installation:
    """A broker, a group and workers. `cuts`: where records may be cut into what is fetched at once, a partition; None: anywhere."""

    def __init__(self, random: Random, source: Stream, parts: Parts, cuts: list[list[int]] | None) -> None:
        self.tally, self.problems, self.parts, self.source = Tally(), [], parts, source
        self.cuts = cuts
        self.world = World(random)
        self.broker = Broker(self.world)
        self.group = Group(self.world, len(source.partitions))
        self.workers: list[Worker] = []
        self._passings: dict[str, int] = {}
        self._takeovers: dict[int, tuple[int, int]] = {}
        self._are_counted = random.random() < 0.1  # records then go one by one after some takeovers, which is slow
        self._commits = 0
        self._made = 0
        self._was_done = False
        lasts_s = random.choice((0.5, 2.0, 4.0))
        self._plan: Plan = faults.draw(random, lasts_s)
        self._plan_feed(lasts_s)
        for time, what in self._plan.timed:
            self.world.at(time, None, self._do, what)
        for _ in range(WORKERS):
            self.world.after(random.random() * 0.2, None, self._start)
        self.world.after(lasts_s, None, self._look)

    def run(self) -> None:
        """To the end. Raises `Endless`."""
        self.world.run(LIMIT_S)

    # ── what goes on around the workers ──────────────────────────────────────────────────────────────────────────────────

    def _plan_feed(self, lasts_s: float) -> None:
        random, topic = self.world.random, settings().topic_transactions
        for partition, entries in enumerate(self.source.partitions):
            cuts = range(1, len(entries)) if self.cuts is None else self.cuts[partition]
            some = random.sample(cuts, random.choice((0, 1, 1, 1, 4)))
            for first, end in pairwise((0, *sorted(some), len(entries))):
                self.world.at(
                    random.uniform(0, lasts_s) * end / len(entries), None, self._feed, topic, partition, first, end
                )

    def _feed(self, topic: str, partition: int, first: int, end: int) -> None:
        log = self.broker.log(topic, partition)
        # Moments were drawn one by one; what comes before in the log comes with it, if it has not come yet.
        if end > log.end:
            log.replay(self.source.partitions[partition][log.end : end])
            self.broker.tell()

    def _start(self) -> None:
        self._made += 1
        self.workers.append(Worker(self, self._made))

    def replace(self, worker: Worker) -> None:
        """The supervisor sees that a worker is gone."""
        self.workers.remove(worker)
        if not self.world.over:
            self.world.after(self.world.random.random() * self.world.random.choice((0.5, 0.5, 6.0)), None, self._start)

    def _do(self, what: str) -> None:
        if what in (faults.COMPACTION, faults.RETENTION):
            self._clean(what)
            return
        awake = [each for each in self.workers if each.process.frozen_until <= self.world.now]
        if awake:
            self._hit(self.world.random.choice(awake), what)
        else:
            self.world.after(0.3, None, self._do, what)

    def _hit(self, worker: Worker, what: str) -> None:
        self.tally.kinds[what] += 1
        if what == faults.KILL:
            worker.kill()
        elif what == faults.REBALANCE:
            self.group.rebalance()
        elif what == faults.STOP:
            worker.stop()
        elif what == faults.HANG:
            worker.freeze(self.world.random.uniform(0.1, SESSION_S - 0.5))
        else:
            worker.freeze(SESSION_S + self.world.random.uniform(0.1, 5.0))

    def _clean(self, what: str) -> None:
        self.tally.kinds[what] += 1
        for partition in range(len(self.source.partitions)):
            if what == faults.COMPACTION:
                log = self.broker.log(settings().changelog_topic, partition)
                below = log.end - self.world.random.choice((1, 1, 2, 20))
                log.compact(below, drop_tombstones=self.world.random.random() < 0.5)
            else:
                # Only what is audited: retention beyond that is loss, and ends the worker, rightly.
                log = self.broker.log(settings().topic_transactions, partition)
                log.drop_below(self.world.random.randint(log.first, max(log.first, self._audited(partition) + 1)))

    # ── what workers tell ────────────────────────────────────────────────────────────────────────────────────────────────

    def reached(self, worker: Worker, point: str) -> None:
        """A worker is at a point of the protocol."""
        passing = self._passings[point] = self._passings.get(point, 0) + 1
        what = self._plan.at_points.get((point, passing))
        if what is not None:
            self.tally.points[point] += 1
            self._hit(worker, what)

    def count_takeover(self, partition: int, next_offset: int) -> int:
        """How often the partition was taken over at this position: what `monitor.wire.attempts` counts."""
        if not self._are_counted:
            return 1
        at, count = self._takeovers.get(partition, (-1, 0))
        count = count + 1 if at == next_offset else 1
        self._takeovers[partition] = (next_offset, count)
        return count

    def next_commit(self) -> str:
        """How the next commit goes wrong; "" not at all."""
        self._commits += 1
        fault = self._plan.commits.get(self._commits, "")
        if fault:
            self.tally.kinds[f"commit {fault}"] += 1
        return fault

    def note_exit(self, worker: Worker, error: BaseException) -> None:
        """A worker leaves by itself."""
        self.tally.exits[type(error).__name__] += 1
        if not worker.is_excused(error):
            self.problems.append(f"{worker.process.name} left for no reason: {type(error).__name__}: {error}")

    def check_group_offset(self, partition: int, offset: int) -> None:
        """The group's offset is never beyond what is audited."""
        if offset > self._audited(partition) + 1:
            self.problems.append(
                f"the group is at {offset} of partition {partition}, audited is {self._audited(partition)}"
            )

    def _audited(self, partition: int) -> int:
        log = self.broker.log(settings().topic_audit, partition)
        for entry in reversed(log.entries):
            if not entry.is_marker and (entry.transaction is None or entry.transaction.commits):
                return known.block_of(entry.value or b"").last_offset
        return -1

    def _look(self) -> None:
        """Whether it is over: nothing is in flight, everything is decided, and the group's offset says so."""
        done = (
            len(self.workers) >= WORKERS
            and all(worker.process.frozen_until <= self.world.now for worker in self.workers)
            and self.broker.is_quiet()
            and all(
                self._audited(partition) == expected.last_offset
                and self.group.offsets.get(partition) == expected.last_offset + 1
                for partition, expected in enumerate(self.source.expected)
            )
        )
        if self.problems or (done and self._was_done):
            self.world.over = True
        else:
            self._was_done = done  # a second look: what is acked is told to the group a little later
            self.world.after(0.7, None, self._look)


PRODUCTION = Parts()


def run(seed: int, parts: Parts = PRODUCTION) -> Outcome:
    """The history of a seed."""
    number, turn = seed % STREAMS, seed // STREAMS
    source, is_on_its_own = stream(number), (number + turn) % known.EVERY == 0
    known.are_of(number)
    installation = Installation(Random(seed), source, parts, None if is_on_its_own else source.cuts)
    installation.tally.inputs.update(source.kinds)
    outcome = Outcome(seed, installation.tally, installation.problems)
    try:
        with nullcontext() if is_on_its_own else known.at_hand():
            installation.run()
    except Endless as error:
        installation.world.over = True
        outcome.problems.append(str(error))
    outcome.problems += problems_of(installation)
    outcome.events = installation.world.events
    return outcome
