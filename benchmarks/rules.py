"""`python -m benchmarks.rules`: what fifty rules cost a transaction, on runs of several lengths; no broker.

Simulated payments are decided once without rules; then the rules are worked out over their features and texts, as the pipeline does it, on one
processor. The rules have conditions of one to three comparisons, lists of a thousand words, arithmetic, and bands.
"""

import argparse
import json
import os
import statistics
import time
from pathlib import Path

import numpy as np

from benchmarks.machine import facts
from monitor.clock import ManualClock
from monitor.deciding import DecidingContext
from monitor.effects.audit import genesis_block
from monitor.pipeline import decide_run
from monitor.rules.rule_file import read_rules
from monitor.rules.ruled import ruled
from monitor.settings import load_settings
from monitor.simulate.messages import transaction_messages
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate
from monitor.state.accounts import Accounts
from monitor.wire.records import Record, Records, Run

RESULTS = Path(__file__).parent / "results"
RUNS = (10, 100, 500, 2_000)
CONDITIONS = (
    "count_5m >= {n}",
    "amount > money({n}00) and new_country",
    "country in ('KP', 'IR', 'SY') and amount > money({n})",
    "new_device and new_merchant and amount_ratio > {n}",
    "channel == 'card' and small_count_15m >= {n}",
    "(hour < 6 or hour >= 23) and amount_z > {n}",
    "drain_ratio_24h > 0.{n} and not is_credit",
    "sum_1h / mean_24h > {n}",
    "anomaly_score > 0.6{n} and account_age < days({n})",
    "merchant_id in watched and amount > money({n}0)",
)
RULE = """
[[rule]]
id = "r{number}"
version = 1
description = "one of fifty"
when = "{when}"
measure = "count_24h"
band = [
  {{at_least = {least}, reason_code = "low", action = "review", text = "{{value}}"}},
  {{at_least = {high}, reason_code = "high", action = "block", text = "{{value}}"}},
]
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rules", description=__doc__)
    parser.add_argument("--rules", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--output", type=Path, default=RESULTS / "rules.json")
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    result = facts() | {"rules": options.rules, "runs": measure(options.rules, options.repeats)}
    options.output.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result["runs"], indent=2))


def measure(count: int, repeats: int) -> dict[str, dict[str, float]]:
    """By length of run: microseconds a run and a transaction, medians, and how many rules held."""
    spec = SimulationSpec(seed=3, transactions=2 * max(RUNS), accounts=200)
    messages = [transaction_messages(batch, 1) for batch in generate(spec)]
    pairs = [pair for each in messages for pair in zip(each.keys, each.values, strict=True)]
    records = Records.of([Record(at, key, value, at) for at, (key, value) in enumerate(pairs)])
    deciding = DecidingContext(load_settings(environ={}), ManualClock(spec.end_ms))
    _, position = genesis_block(
        app_id="b", topic="t", topic_id="i", partition=0, start=0, alerts_from_offset=0, versions={}, schema_id=1
    )
    accounts, found = Accounts(), {}
    engine = deciding.engine_of(read_rules(text_of(count), Path("benchmark.toml")))
    for length in RUNS:
        part = records[np.arange(len(records) - length, len(records))]
        run = Run("t", 0, -1, part)
        decided = decide_run(run, accounts, position, deciding.for_records(part), spec.end_ms)
        scored, took, held = decided.dispositions == 0, [], 0
        for _ in range(repeats):
            began = time.perf_counter()
            held = ruled(engine, decided.columns, decided.features, decided.scores, scored).hits.rows.size
            took.append((time.perf_counter() - began) * 1e6)
        median = statistics.median(took)
        found[str(length)] = {"us_a_run": round(median, 1), "us_a_transaction": round(median / length, 3), "held": held}
        accounts = Accounts()
    return found


def text_of(count: int, least: int = 0) -> str:
    """A file of so many rules, which hold from `least` payments a day on."""
    words = ", ".join(f'"M{number:06}"' for number in range(1_000))
    rules = (
        RULE.format(
            least=least,
            high=least + 20,
            number=number,
            when=CONDITIONS[number % len(CONDITIONS)].format(n=number // len(CONDITIONS) + 3),
        )
        for number in range(count)
    )
    return f'version = "benchmark"\n[lists]\nwatched = [{words}]\n' + "".join(rules)


if __name__ == "__main__":
    main()
