"""What goes wrong in a history, drawn from its seed, and a count of what did."""

from collections import Counter
from dataclasses import dataclass
from random import Random

from monitor.failpoints import POINTS

KILL, HANG, ZOMBIE, STOP, REBALANCE = "kill -9", "hang", "hang beyond the session", "clean stop", "rebalance"
TIMED = (KILL, HANG, ZOMBIE, STOP, REBALANCE)
"""Happen at some moment, between any two steps of whatever is going on."""

AT_POINTS = (KILL, HANG, ZOMBIE, REBALANCE)
"""Happen when a worker reaches a point of the protocol."""

COMMITS = ("refused", "unknown", "late", "slow")
"""How a commit goes wrong: see `tests.simulation.clients.SimWriter`."""

COMPACTION, RETENTION = "changelog compacted", "retention of transactions"
EARLY, AGAIN, STALE = "fetch before the seek", "fetch again", "chunk of an older generation"
MARKERS = "markers apart"

KINDS = (*TIMED, *(f"commit {each}" for each in COMMITS), COMPACTION, RETENTION, EARLY, AGAIN, STALE)
"""Everything that is counted beside the points."""

MOST_PASSINGS = 6
"""A fault at a point comes at one of its first so many passings."""


@dataclass(frozen=True)
class Plan:
    """`timed`: (virtual second, what); `at_points`: (point, passing) -> what; `commits`: number of the commit -> how it goes wrong."""

    timed: list[tuple[float, str]]
    at_points: dict[tuple[str, int], str]
    commits: dict[int, str]


def draw(random: Random, lasts_s: float) -> Plan:
    """At least one fault that surely happens: at a moment while there still is something to do."""
    timed = [(random.uniform(0.02, lasts_s), random.choice(TIMED))]
    if random.random() < 0.25:
        timed.append((random.uniform(0.02, lasts_s), random.choice(TIMED)))
    for what in (COMPACTION, COMPACTION, RETENTION):
        if random.random() < 0.4:
            timed.append((random.uniform(0.2, lasts_s + 1), what))
    at_points = {}
    for _ in range(random.choice((0, 1, 1, 2))):
        at_points[random.choice(POINTS), random.randrange(1, MOST_PASSINGS)] = random.choice(AT_POINTS)
    commits = {}
    if random.random() < 0.3:
        commits[random.randrange(1, 10)] = random.choice(COMMITS)
    return Plan(timed, at_points, commits)


class Tally:
    """Counts what happened, in one history or many."""

    def __init__(self) -> None:
        self.points: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.inputs: Counter[str] = Counter()
        self.exits: Counter[str] = Counter()

    def add(self, other: "Tally") -> None:
        """Take another's counts in."""
        self.points += other.points
        self.kinds += other.kinds
        self.inputs += other.inputs
        self.exits += other.exits

    def missing(self) -> list[str]:
        """Points and faults that never happened."""
        return [point for point in POINTS if not self.points[point]] + [kind for kind in KINDS if not self.kinds[kind]]

    def lines(self) -> list[str]:
        """One a point, fault, input and exit."""
        return [
            *(f"{self.points[point]:>9} faults at the point {point}" for point in POINTS),
            *(f"{self.kinds[kind]:>9} times {kind}" for kind in KINDS),
            *(f"{count:>9} in the input: {name}" for name, count in sorted(self.inputs.items())),
            *(f"{count:>9} exits with {name}" for name, count in sorted(self.exits.items())),
        ]
