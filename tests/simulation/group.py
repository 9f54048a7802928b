"""The coordinator of the consumer group: who has which partitions, in which generation, and how far the group says that it has read.

Eager rebalances, as Faust's: everybody gives up everything, joins again, and gets a share when all have joined. A member that does not
come back in time, or whose session ends, is left out: what it does afterwards it does as a zombie.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.world import Process, World

SESSION_S = 3.0
"""Silence after which a member is given up."""

HEARTBEAT_S = 0.3
"""How long it may take a member to hear of a rebalance."""

REJOIN_S = 15.0
"""How long a rebalance waits for a member that is alive: longer than a run in flight may hold it up."""


@dataclass(eq=False)
class Member:
    """A worker in the group. `told`: it must give up what it has and join again; `joined`: takes (generation, partitions)."""

    process: Process
    told: Callable[[], None]
    joined: Callable[[int, list[int]], None] | None = None
    partitions: list[int] = field(default_factory=list)
    generation: int = -1


class Group:
    """One group, one topic."""

    def __init__(self, world: World, partitions: int) -> None:
        self._world = world
        self._partitions = partitions
        self.members: list[Member] = []
        self.generation = 0
        self.offsets: dict[int, int] = {}
        self.rebalances = 0
        self._is_joining = False

    def join(self, member: Member, joined: Callable[[int, list[int]], None]) -> None:
        """Join, or join again."""
        if member not in self.members:
            self.members.append(member)
        member.joined = joined
        if not self._is_joining:
            self.rebalance()
        self._share_out_if_complete()

    def leave(self, member: Member) -> None:
        """On purpose, or because its session ended."""
        if member in self.members:
            self.members.remove(member)
            if not self._is_joining:
                self.rebalance()
            self._share_out_if_complete()

    def expel(self, member: Member) -> None:
        """Its session ended; it will be told when it asks again."""
        if member in self.members:
            self.leave(member)
            self._tell(member)

    def rebalance(self) -> None:
        """Make everybody join again."""
        self._is_joining = True
        self.rebalances += 1
        for member in self.members:
            if member.joined is None:
                self._tell(member)
        self._world.after(REJOIN_S, None, self._give_up, self.rebalances)

    def commit(self, member: Member, partition: int, offset: int) -> bool:
        """Whether the offset is taken: not from a member of another generation."""
        if member not in self.members or member.generation != self.generation or partition not in member.partitions:
            return False
        self.offsets[partition] = offset
        return True

    def _tell(self, member: Member) -> None:
        self._world.after(
            self._world.random.choice((0.02, 1.0)) * self._world.random.random() * HEARTBEAT_S,
            member.process,
            member.told,
        )

    def _give_up(self, rebalance: int) -> None:
        if self._is_joining and self.rebalances == rebalance:
            for member in [member for member in self.members if member.joined is None]:
                self.expel(member)

    def _share_out_if_complete(self) -> None:
        if not self._is_joining or any(member.joined is None for member in self.members):
            return
        self._is_joining = False
        self.generation += 1
        turn = self._world.random.randrange(4)
        for at, member in enumerate(self.members):
            member.generation = self.generation
            member.partitions = [each for each in range(self._partitions) if (each + turn) % len(self.members) == at]
            joined, member.joined = member.joined, None
            assert joined is not None
            self._world.after(0.001, member.process, joined, self.generation, member.partitions)


def session_ends(world: World, group: Group, member: Any) -> None:
    """The coordinator has not heard of the member since now: it gives it up when its session ends."""
    world.after(SESSION_S, None, _end, group, member)


def _end(group: Group, member: Member) -> None:
    if member.process.dead or member.process.frozen_until > group._world.now:
        group.expel(member)
