"""Even shares and the fewest moves, as arithmetic and in the messages that a group exchanges; the least there is, found by scipy."""

import random

import faust
import numpy as np
import pytest
from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata
from aiokafka.protocol.metadata import MetadataResponse_v1
from faust.assignor import PartitionAssignor, partition_assignor
from faust.assignor.client_assignment import CopartitionedAssignment
from faust.assignor.copartitioned_assignor import CopartitionedAssignor
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from monitor.wire.assignor import Assignor, EvenShares, share

TOPICS = {"transactions", "app-account-state-changelog"}

seeds, partition_counts = st.integers(0, 2**32), st.integers(1, 64)
client_counts = st.integers(1, 12)


def names(count):
    return [f"worker-{number}" for number in range(count)]


@st.composite
def anything_held(draw):
    """Clients that may hold anything, but no partition twice; some partitions nobody's."""
    clients, partitions, chance = names(draw(client_counts)), draw(partition_counts), random.Random(draw(seeds))
    weights = [chance.random() ** 3 for _ in [*clients, None]]
    held = {name: set() for name in clients}
    for partition in range(partitions):
        owner = chance.choices([*clients, None], weights)[0]
        if owner is not None:
            held[owner].add(partition)
    return held, partitions


def moved(held, dealt):
    """How many partitions went to somebody who did not have them."""
    return sum(len(dealt[name] - held[name]) for name in dealt)


def least_moves(held, partitions):
    """The fewest moves of any even deal: partitions matched to seats, of which the first floor of each client must all be taken."""
    clients, floor = list(held), partitions // len(held)
    seats = [(name, rank < floor) for name in clients for rank in range(floor + 1)]
    cost = np.array([[(p not in held[name]) - 1_000 * must for name, must in seats] for p in range(partitions)])
    rows, columns = linear_sum_assignment(cost)
    must_be_taken = len(clients) * floor
    return int(cost[rows, columns].sum()) + 1_000 * must_be_taken


def check_even(dealt, partitions):
    assert sorted(p for each in dealt.values() for p in each) == list(range(partitions))
    sizes = [len(each) for each in dealt.values()]
    assert max(sizes) - min(sizes) <= 1


@given(anything_held())
def test_every_partition_is_dealt_once_in_even_shares_with_the_fewest_moves_there_are(case):
    held, partitions = case
    dealt = share(held, partitions)
    check_even(dealt, partitions)
    assert moved(held, dealt) == least_moves(held, partitions)


@given(anything_held())
def test_who_had_no_more_than_a_full_share_loses_nothing_unless_too_many_have_a_bigger_one(case):
    held, partitions = case
    floor, bigger = divmod(partitions, len(held))
    dealt = share(held, partitions)
    for name, had in held.items():
        if len(had) <= floor:
            assert had <= dealt[name]
    if sum(len(had) > floor for had in held.values()) <= bigger:
        assert all(had <= dealt[name] for name, had in held.items() if len(had) <= floor + 1)


@given(anything_held(), seeds)
def test_the_answer_does_not_depend_on_the_order_in_which_clients_come(case, seed):
    held, partitions = case
    shuffled = list(held)
    random.Random(seed).shuffle(shuffled)
    assert share({name: held[name] for name in shuffled}, partitions) == share(held, partitions)


@given(client_counts, partition_counts, seeds)
def test_as_workers_come_and_go_each_rebalance_moves_the_fewest_and_none_without_a_change(count, partitions, seed):
    chance, joined = random.Random(seed), 1
    held = {"worker-0": set()}
    for _ in range(12):
        dealt = share(held, partitions)
        check_even(dealt, partitions)
        assert moved(held, dealt) == least_moves(held, partitions)
        assert share(dealt, partitions) == dealt
        if len(dealt) < count and (len(dealt) == 1 or chance.random() < 0.5):
            dealt[f"worker-{joined}"] = set()
            joined += 1
        elif len(dealt) > 1:
            del dealt[chance.choice(sorted(dealt))]
        held = dealt


@given(client_counts, partition_counts, seeds)
def test_claims_that_contradict_each_other_or_the_topic_still_give_even_shares(count, partitions, seed):
    chance = random.Random(seed)
    held = {name: {chance.randrange(80) for _ in range(chance.randrange(80))} for name in names(count)}
    check_even(share(held, partitions), partitions)


def test_who_slept_through_a_rebalance_does_not_get_back_what_others_took_over():
    """It had 0 and 1; its share is one now, and that is the one move."""
    others = {"second": {0, 2}, "third": {1, 3}}
    dealt = share({"first": {0, 1}, **others}, 4)
    assert moved({"first": set(), **others}, dealt) == 1


def test_a_third_worker_costs_one_move_where_fausts_own_assignor_makes_two():
    held = {"first": {0, 1}, "second": {2, 3}, "third": set()}

    def clients():
        return {name: CopartitionedAssignment(set(had), set(), TOPICS) for name, had in held.items()}

    def dealt_by(assignor):
        done = assignor(TOPICS, clients(), 4, replicas=0).get_assignment()
        return {name: each.actives for name, each in done.items()}

    assert moved(held, dealt_by(EvenShares)) == 1
    assert moved(held, dealt_by(CopartitionedAssignor)) == 2


def test_with_standbys_it_is_fausts_own_deal():
    def clients():
        return {name: CopartitionedAssignment(set(), set(), TOPICS) for name in names(3)}

    ours, theirs = (
        {name: (each.actives, each.standbys) for name, each in cls(TOPICS, clients(), 7, 1).get_assignment().items()}
        for cls in (EvenShares, CopartitionedAssignor)
    )
    assert ours == theirs
    assert all(standbys for _, standbys in ours.values())


# The messages of a group: what members say to the leader and it to them, through the bytes that Kafka carries.


@pytest.fixture(scope="module")
def app():
    app = faust.App(
        "app", broker="kafka://127.0.0.1:1", autodiscover=False, web_enabled=False, table_standby_replicas=0
    )
    app.Table("account-state", key_type=bytes, value_type=bytes, default=bytes)
    return app


def cluster(**partitions):
    """What a client knows of a cluster with these topics."""
    known = ClusterMetadata()
    topics = [(0, name, False, [(0, p, 0, [0], [0]) for p in range(count)]) for name, count in partitions.items()]
    known.update_metadata(MetadataResponse_v1([(0, "127.0.0.1", 1, None)], 0, topics))
    return known


def rebalance(members, leader, partitions, topics=frozenset(TOPICS)):
    """One round of the group's protocol: what each member (name -> assignor) has afterwards, of the transactions."""
    said = {
        name: ConsumerProtocolMemberMetadata.decode(each.metadata(set(topics)).encode())
        for name, each in members.items()
    }
    answers = members[leader].assign(cluster(**dict.fromkeys(topics, partitions)), said)
    for name, each in members.items():
        each.on_assignment(ConsumerProtocolMemberAssignment.decode(answers[name].encode()))
    return {name: {tp.partition for tp in each.assigned_actives()} for name, each in members.items()}


@given(client_counts, partition_counts, seeds)
def test_source_and_changelog_move_together_through_the_groups_messages(app, count, partitions, seed):
    chance = random.Random(seed)
    members, joined, held = {}, 0, {}
    for _ in range(6):
        if len(members) < count and (not members or chance.random() < 0.6):
            members[f"worker-{joined}"] = Assignor(app, replicas=0)
            joined += 1
        elif len(members) > 1:
            del members[chance.choice(sorted(members))]
        before = {name: held.get(name, set()) for name in members}
        held = rebalance(members, chance.choice(sorted(members)), partitions)
        check_even(held, partitions)
        assert moved(before, held) == least_moves(before, partitions)
        for each in members.values():
            by_topic = {
                topic: {tp.partition for tp in each.assigned_actives() if tp.topic == topic} for topic in TOPICS
            }
            assert by_topic["transactions"] == by_topic["app-account-state-changelog"]
            assert not each.assigned_standbys()
    assert partition_assignor.CopartitionedAssignor is CopartitionedAssignor, "Faust's own name is not given back"


def test_fausts_own_name_comes_back_when_a_deal_fails(app):
    with pytest.raises(AttributeError):
        Assignor(app).assign(None, {"worker-0": Assignor(app).metadata(TOPICS)})
    assert partition_assignor.CopartitionedAssignor is CopartitionedAssignor


def test_members_say_what_fausts_own_assignor_says_under_the_same_name_and_version(app):
    ours, theirs = Assignor(app, replicas=0), PartitionAssignor(app, replicas=0)
    assert (ours.name, ours.version) == (theirs.name, theirs.version) == ("faust", 4)
    for member in (ours, theirs):
        rebalance({"worker-0": member, "worker-1": Assignor(app)}, "worker-0", 4, topics=("transactions",))
    assert ours.metadata({"transactions"}).encode() == theirs.metadata({"transactions"}).encode()


@given(st.integers(2, 6), partition_counts, seeds)
def test_workers_upgraded_one_by_one_from_fausts_own_assignor_are_one_group_whoever_leads(app, count, partitions, seed):
    chance = random.Random(seed)
    members = {name: PartitionAssignor(app, replicas=0) for name in names(count)}
    held = rebalance(members, "worker-0", partitions)
    for old in names(count):
        del members[old]
        members[f"new-{old}"] = Assignor(app, replicas=0)
        leader = chance.choice(sorted(members))
        before = {name: held.get(name, set()) for name in members}
        held = rebalance(members, leader, partitions)
        assert sorted(p for each in held.values() for p in each) == list(range(partitions))
        if isinstance(members[leader], Assignor):  # Faust's own may deal 5, 5 and 3 of 13
            check_even(held, partitions)
            assert moved(before, held) == least_moves(before, partitions)
