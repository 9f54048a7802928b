import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.simulate.draws import ONE, Draws, bits, lognormal, mix, scaled, weighted


def test_the_raw_bits_are_those_of_every_machine_and_release():
    assert Draws(1, 2, 3).u64(3).tolist() == [1651299849932390616, 4218192805844392388, 17465577037104944027]


def test_streams_of_other_names_share_nothing():
    streams = [Draws(1), Draws(1, 0), Draws(1, 1), Draws(2, 1)]
    assert len({int(stream.u64(1)[0]) for stream in streams}) == 4


@given(st.integers(1, 1 << 31), st.integers(0, 2**63 - 1), st.integers(0, 300))
def test_below_stays_below(bound, seed, n):
    drawn = Draws(seed).below(bound, n)
    assert drawn.shape == (n,)
    assert ((drawn >= 0) & (drawn < bound)).all()


@given(st.integers(-(10**12), 10**12), st.integers(0, 1 << 46), st.integers(0, 2**32))
def test_between_stays_between(low, span, seed):
    drawn = Draws(seed).between(low, low + span, 100)
    assert ((drawn >= low) & (drawn <= low + span)).all()


def test_below_takes_a_bound_each():
    bounds = np.array([1, 2, 1000] * 1000, np.int64)
    drawn = Draws(3).below(bounds, 3000)
    assert (drawn < bounds).all()
    assert set(drawn[1::3].tolist()) == {0, 1}


@pytest.mark.parametrize(("bound", "n"), [(10, 10), (10, 3), (1_000_000, 500), (5, 9)])
def test_distinct_draws_differ(bound, n):
    drawn = Draws(4).distinct(bound, n)
    assert len(set(drawn.tolist())) == len(drawn) == min(n, bound)
    assert drawn.max() < bound


def test_a_chance_is_met_about_as_often_as_it_says():
    assert 0.29 < Draws(5).chance(0.3, 100_000).mean() < 0.31
    assert not Draws(5).chance(0.0, 1000).any()
    assert Draws(5).chance(1.0, 1000).all()


def test_a_lognormal_has_median_one_and_the_asked_spread():
    logs = np.log(lognormal(60) / ONE)
    assert abs(np.median(logs)) < 0.001
    assert abs(logs.std() - 0.6) < 0.01
    assert scaled(np.array([1000]), np.array([ONE // 2])).tolist() == [500]


@given(st.lists(st.integers(1, 100), min_size=1, max_size=20))
def test_weights_fill_the_whole_table_in_proportion(weights):
    table = weighted(tuple(weights), 1024)
    assert table.shape == (1024,)
    for which, count in enumerate(np.bincount(table, minlength=len(weights)).tolist()):
        assert abs(count - 1024 * weights[which] / sum(weights)) <= 1


def test_a_mixture_depends_on_each_part_and_on_their_order():
    one = np.array([1, 2, 3])
    assert mix(1, one).tolist() == mix(1, one).tolist()
    assert not set(mix(1, one).tolist()) & set(mix(one, 1).tolist()[1:])
    assert bits(np.array([0xABCD], np.uint64), 4, 8).tolist() == [0xBC]
