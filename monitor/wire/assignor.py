"""Who reads which partition: even shares, and no partition moves that need not.

A partition that stays keeps its state in memory; one that moves is loaded again. Without standbys Faust's assignor cuts everybody
down to floor(partitions / workers) and deals the rest anew, so that {0, 1}, {2, 3}, {} becomes {1, 2}, {3}, {0}: two moved where one
would do. Nor are its shares always even: of 13 partitions three workers may get 5, 5 and 3. Here it is {0, 1}, {2}, {3}, and 5, 4, 4.

Only the leader's arithmetic differs. The name of the protocol, its version and what members tell each other are Faust's, so workers
with either assignor form one group, whoever leads it.
"""

from collections import Counter
from collections.abc import Mapping, MutableMapping
from typing import Any

from faust.assignor import partition_assignor
from faust.assignor.client_assignment import CopartitionedAssignment
from faust.assignor.copartitioned_assignor import CopartitionedAssignor


class EvenShares(CopartitionedAssignor):
    """Deals the partitions of topics that are partitioned alike. With standbys it is Faust's own, which is careful then."""

    def get_assignment(self) -> MutableMapping[str, CopartitionedAssignment]:
        """Each client's partitions: sizes differ by one at most, and as many as possible stay where they were."""
        if self.replicas:
            return super().get_assignment()
        held = {name: set(each.actives) for name, each in self._client_assignments.items()}
        for name, partitions in share(held, self.num_partitions).items():
            self._client_assignments[name].actives = partitions
            self._client_assignments[name].standbys = set()
        return self._client_assignments


def share(held: Mapping[str, set[int]], num_partitions: int) -> dict[str, set[int]]:
    """The partitions 0 to `num_partitions` - 1 dealt to the clients that `held` names, given what each says it had.

    The same answer for the same question, in whatever order the clients come. The number that move is the least there is: those who
    had more than their share keep a full one, the bigger shares go to them first, and nobody else loses anything.
    """
    kept = _settle({name: {p for p in had if 0 <= p < num_partitions} for name, had in held.items()})
    floor, bigger = divmod(num_partitions, len(kept))
    by_size = sorted(kept, key=lambda name: (-len(kept[name]), name))
    shares = {name: floor + (rank < bigger) for rank, name in enumerate(by_size)}
    dealt = {name: set(sorted(kept[name])[: shares[name]]) for name in kept}
    for partition in sorted(set(range(num_partitions)).difference(*dealt.values())):
        short = [name for name in by_size if len(dealt[name]) < shares[name]]
        dealt[min(short, key=lambda name: (len(dealt[name]), name))].add(partition)
    return dealt


def _settle(held: Mapping[str, set[int]]) -> dict[str, set[int]]:
    """`held` with one owner for each partition.

    Two say that they had a partition when one of them slept through a rebalance. Everything that one had was dealt to others meanwhile,
    so it is the one with the least that nobody disputes, and it loses: what it has in memory is old.
    """
    owners = Counter(partition for had in held.values() for partition in had)
    undisputed = {name: sum(owners[partition] == 1 for partition in had) for name, had in held.items()}
    taken: set[int] = set()
    settled = {}
    for name in sorted(held, key=lambda name: (-undisputed[name], -len(held[name]), name)):
        settled[name] = held[name] - taken
        taken |= held[name]
    return settled


class Assignor(partition_assignor.PartitionAssignor):
    """Faust's assignor, with even shares. The app takes it as its setting `PartitionAssignor`."""

    def _perform_assignment(self, *args: Any) -> partition_assignor.MemberAssignmentMapping:
        # Faust has no setting for this class and names it in the middle of a long method. That does not await, and a worker has one
        # assignor, so nobody else sees the exchange.
        names = vars(partition_assignor)
        theirs = names["CopartitionedAssignor"]
        names["CopartitionedAssignor"] = EvenShares
        try:
            return super()._perform_assignment(*args)
        finally:
            names["CopartitionedAssignor"] = theirs
