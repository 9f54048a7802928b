"""The name that audit blocks have, and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.decide.policy import BLOCK, OUTCOMES
from monitor.rails.walled import NONE_WALLED, Walled
from monitor.wire.columns import CHANNELS


@given(st.frozensets(st.integers(0, len(CHANNELS) - 1), min_size=1), st.integers(0, len(OUTCOMES) - 1))
def test_what_is_walled_off_is_found_again_by_its_name(channels, outcome):
    assert Walled.named(Walled(channels, outcome).name) == Walled(channels, outcome)


def test_the_name_is_short_and_ordered():
    assert Walled(frozenset({3, 0}), BLOCK).name == "card,wallet=block"
    assert NONE_WALLED.name == ""
    assert Walled.named("") is NONE_WALLED


@pytest.mark.parametrize("name", ["card", "card=", "cash=review", "card,=review", "=review"])
def test_a_name_of_another_version_is_refused(name):
    with pytest.raises(ValueError, match="not in"):
        Walled.named(name)
