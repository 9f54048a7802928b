"""Each rule of the protocol, broken: the simulation must find it, or it would not find it in the product either."""

import pytest

from tests.simulation.campaign import histories_until_found
from tests.simulation.mutants import MUTANTS, Mutant

MOST = 3_000
SEED = 100_001


@pytest.mark.timeout(600)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_protocol_with_one_rule_broken_is_found(mutant: Mutant, record_property):
    with mutant.standing():
        count, problems = histories_until_found(mutant.parts, SEED, MOST)
    print(f"{mutant.name}: found in history {count}: {problems[:1]}")
    record_property("histories", count)
    assert problems, f"{mutant.name}: survives {count} histories; what does the simulation never do?"
