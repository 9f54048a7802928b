"""What a rebalance moves in a real group, by what each worker says it was given."""

PARTITIONS = 7


def deals(installation):
    """Generation -> worker -> its partitions, of the generations in which every partition was dealt; oldest first."""
    found = {}
    for number, worker in enumerate(installation.workers):
        for line in worker.lines():
            if line["message"] == "partitions assigned":
                found.setdefault(line["generation"], {})[number] = set(line["partitions"])
    return [dealt for _, dealt in sorted(found.items()) if sum(map(len, dealt.values())) == PARTITIONS]


def wait_for_deal(installation, workers, wait_until):
    """The newest deal, once it is among exactly these workers and their state is loaded."""

    def reached():
        installation.check_alive()
        made = deals(installation)
        return bool(made) and set(made[-1]) == workers

    wait_until(reached, 90, lambda: f"{deals(installation)}")
    for number in workers:
        installation.workers[number].wait_ready()
    return deals(installation)[-1]


def test_a_worker_that_joins_or_leaves_moves_the_fewest_partitions_and_shares_are_even(install, wait_until):
    """Faust's own assignor gives the third worker one of seven, and leaves 3 and 3."""
    installation = install(partitions=PARTITIONS)
    for _ in range(2):
        installation.start()
    two = wait_for_deal(installation, {0, 1}, wait_until)
    assert sorted(map(len, two.values())) == [3, 4]

    third = installation.start()
    three = wait_for_deal(installation, {0, 1, 2}, wait_until)
    assert sorted(map(len, three.values())) == [2, 2, 3]
    assert sum(len(three[worker] - two.get(worker, set())) for worker in three) == 2, f"{two} became {three}"

    assert third.stop() == 0
    left = wait_for_deal(installation, {0, 1}, wait_until)
    assert all(three[worker] <= left[worker] for worker in left), f"{three} became {left}"
