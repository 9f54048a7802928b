"""The tree by kernel: the tree of merkle.py, whatever the entries' lengths and however many there are."""

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.effects import merkle
from monitor.effects.tree import leaf_hashes, root_of


def made(seed, lengths):
    """`(arguments of root_of, the same as Python bytes)`: random decisions and spans, in random order, with bytes between them."""
    random = np.random.default_rng(seed)
    rows = random.integers(0, 1 << 64, 3 * len(lengths), np.uint64)
    lengths = np.array(lengths, np.int64)
    starts, at = np.zeros(len(lengths), np.int64), 0
    for row in random.permutation(len(lengths)):
        starts[row] = at + random.integers(0, 4)
        at = starts[row] + lengths[row]
    data = random.integers(0, 256, at, np.uint8)  # ends with the last span: reading on would be beyond it
    heads = rows.tobytes()
    entries = [
        heads[24 * row : 24 * row + 24] + data[starts[row] : starts[row] + lengths[row]].tobytes()
        for row in range(len(lengths))
    ]
    return (rows, data, starts, lengths), entries


def check(seed, lengths):
    arguments, entries = made(seed, lengths)
    expected = [merkle.leaf_hash(entry) for entry in entries]
    assert leaf_hashes(*arguments) == expected
    assert root_of(*arguments) == merkle.root(expected)


@given(st.integers(0, 2**32), st.lists(st.integers(0, 300), max_size=70))
@example(0, [])
@example(0, [0])
@example(0, list(range(301)))
@example(0, [30] * 16)  # an entry of 55 bytes with its zero byte: the longest of one block
@example(0, [31] * 17)
def test_leaves_and_root_are_those_of_hashlib(seed, lengths):
    check(seed, lengths)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 5000), st.integers(0, 128))
@example(1, 4096, 36)
@example(1, 4097, 36)
@example(1, 4095, 20)
def test_so_they_are_of_a_large_run(seed, count, longest):
    lengths = np.random.default_rng(seed).integers(0, longest + 1, count)
    check(seed, lengths.tolist())


def test_every_count_up_to_a_few_groups_of_lanes_has_its_tree():
    for count in range(70):
        check(count, [20] * count)
