"""The alerts of a seeded simulation with the shipped model, the example rules and risk of the simulation's own labels: `python -m tests.alert_examples`
prints the table of docs/alerts.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from monitor.learn.dataset import replay
from monitor.learn.risk import snapshot
from monitor.learn.sources import simulated
from monitor.money.exchange import load_exchange
from monitor.risk.book import Book, Snapshot
from monitor.rules.rule_file import read_rules
from monitor.simulate.scenarios import NAMES
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate
from monitor.state.layout import DAY_MS
from monitor.wire.our_records import read_record
from tests.one_run import decided_at_once, deciding_at, records_of

RULES = Path(__file__).parents[1] / "examples" / "rules.toml"
SPEC = SimulationSpec(seed=7, transactions=40_000)
LABEL_DELAY_MS = 3 * DAY_MS
"""Half of the simulator's frauds are found out by then."""

LISTED = 3
"""Attributions of an example that the page lists."""


@dataclass(frozen=True, slots=True)
class Example:
    """An alert about a transaction of the simulator's `scenario`."""

    scenario: str
    alert: dict[str, Any]

    @property
    def row(self) -> str:
        """Of the page's table."""
        score = self.alert["anomaly_score"]
        return f"| `{self.scenario}` | {self.alert['outcome']} | {score:.2f} | {'; '.join(self.alert['reasons'])} |"


def fraud_alerts() -> list[Example]:
    """All alerts about fraud, in order of their transactions."""
    records, scenarios = records_of(SPEC), np.concatenate([batch.scenario for batch in generate(SPEC)])
    deciding = deciding_at(SPEC)
    rules = deciding.engine_of(read_rules(RULES.read_text(), RULES))
    context = replace(deciding.for_records(records), rules=rules, risk=Book.of(_snapshots()))
    _, decided = decided_at_once(records, context, SPEC)
    alerts = [read_record("alert.avsc", each.value) for each in decided.messages if each.topic == context.names.alerts]
    told = [(NAMES[scenarios[alert["source_offset"]]], alert) for alert in alerts]
    return [Example(scenario, alert) for scenario, alert in told if scenario]


def _snapshots() -> Iterator[Snapshot]:
    """One a day, of what labels said by then."""
    data = replay(simulated(generate(SPEC)), load_exchange(None), ())
    first = int(data.event_time.min()) // DAY_MS * DAY_MS
    for midnight in range(first + DAY_MS + LABEL_DELAY_MS, int(data.event_time.max()), DAY_MS):
        yield snapshot(data, str(midnight), midnight, midnight + DAY_MS, LABEL_DELAY_MS)


def strangest(examples: list[Example]) -> dict[str, Example]:
    """Of each scenario the alert with the highest score, the first of equal ones."""
    first = sorted(examples, key=lambda each: (-each.alert["anomaly_score"], each.alert["source_offset"]))
    return {name: next(each for each in first if each.scenario == name) for name in NAMES[1:]}


def attribution_row(attribution: dict[str, Any]) -> str:
    """Of the page's table of one alert's attributions."""
    numbers = f"{attribution['contribution']:.2f} | {attribution['share']:.3f} | {attribution['percentile']:.5f}"
    return f"| `{attribution['feature']}` | {attribution['value']:.4g} | {attribution['unit']} | {numbers} |"


if __name__ == "__main__":
    chosen = strangest(fraud_alerts())
    print("\n".join(each.row for each in chosen.values()))
    print("\n".join(map(attribution_row, chosen["card_testing"].alert["attributions"][:LISTED])))
