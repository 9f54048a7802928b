"""Kinds of fraud, one a file: what happens, its mark, and who is hit. Each can be switched on alone."""

from collections.abc import Callable
from dataclasses import dataclass

from monitor.simulate.draws import Draws
from monitor.simulate.rows import Rows
from monitor.simulate.scenarios import account_takeover, card_testing, merchant_compromise, mule_fan_in, slow_drain
from monitor.simulate.world import World


@dataclass(frozen=True, slots=True)
class Scenario:
    """A kind of fraud. `plan(world, draws, code, budget)` makes about `budget` fraudulent rows labelled with `code`, and the
    genuine ones the story needs; at least one incident. `about` says what happens, `mark` what every incident shows.
    """

    name: str
    code: int
    about: str
    mark: str
    plan: Callable[[World, Draws, int, int], Rows]


SCENARIOS: tuple[Scenario, ...] = (
    Scenario("account_takeover", 1, account_takeover.ABOUT, account_takeover.MARK, account_takeover.plan),
    Scenario("card_testing", 2, card_testing.ABOUT, card_testing.MARK, card_testing.plan),
    Scenario("merchant_compromise", 3, merchant_compromise.ABOUT, merchant_compromise.MARK, merchant_compromise.plan),
    Scenario("slow_drain", 4, slow_drain.ABOUT, slow_drain.MARK, slow_drain.plan),
    Scenario("mule_fan_in", 5, mule_fan_in.ABOUT, mule_fan_in.MARK, mule_fan_in.plan),
)
"""Codes are written into rows and name streams of draws: append only."""

NAMES: tuple[str, ...] = ("", *(scenario.name for scenario in SCENARIOS))
"""Name by code; 0 is genuine."""

BY_NAME: dict[str, Scenario] = {scenario.name: scenario for scenario in SCENARIOS}
