"""What leaving out explanations saves: the same runs decided with and without, in turn, where a share of the payments alerts by the model.

python -m benchmarks.shedding [--share 0.05] [--records 2000] [--runs 60] [--json FILE]
"""

import argparse
import json
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from monitor.clock import ManualClock
from monitor.context import Context
from monitor.deciding import DecidingContext
from monitor.effects.audit import genesis_block
from monitor.pipeline import decide_run
from monitor.settings import load_settings
from monitor.simulate.messages import transaction_messages
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate
from monitor.state.accounts import Accounts
from monitor.wire.records import Record, Records, Run

ACCOUNTS, WARM_RUNS = 6_000, 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--records", type=int, default=2_000, help="in a run")
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = measure(options.share, options.records, options.runs)
    text = json.dumps(found, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


def measure(share: float, records: int, runs: int) -> dict[str, Any]:
    """CPU microseconds a record, medians over runs, with explanations and without."""
    spec = SimulationSpec(seed=1, transactions=records * runs, accounts=ACCOUNTS)
    messages = [transaction_messages(batch, 1) for batch in generate(spec)]
    pairs = [pair for each in messages for pair in zip(each.keys, each.values, strict=True)]
    made = [Record(at, key, value, spec.end_ms - 90_000) for at, (key, value) in enumerate(pairs)]
    chunks = [Records.of(made[at : at + records]) for at in range(0, len(made), records)]
    deciding = DecidingContext(load_settings(environ={}), ManualClock(spec.end_ms))
    context = _with_share(deciding.for_records(chunks[0]), chunks, spec.end_ms, share)
    (explained, alerts, bytes_), (shed, _, fewer) = _decided(
        (context, replace(context, explaining=False)), chunks, spec.end_ms
    )
    return {
        "share": share, "run_records": records, "runs": len(explained), "alerts": alerts,
        "explained_us": round(statistics.median(explained) * 1e6, 3), "shed_us": round(statistics.median(shed) * 1e6, 3),
        "alert_bytes": {"explained": round(bytes_ / alerts), "shed": round(fewer / alerts)},
        "records_a_second_more": round(statistics.median(explained) / statistics.median(shed) - 1, 3),
    }  # fmt: skip


def _with_share(context: Context, chunks: list[Records], now_ms: int, share: float) -> Context:
    """A threshold that so many of the payments reach."""
    assert context.model is not None
    accounts, position, scores = Accounts(), _begin(), []
    for chunk in chunks:
        decided = decide_run(Run("t", 0, position.last_offset, chunk), accounts, position, context, now_ms)
        position = decided.position
        scores.append(decided.scores)
    threshold = float(np.nanquantile(np.concatenate(scores), 1 - share))
    return replace(context, model=replace(context.model, review_threshold=threshold, block_threshold=1.0))


def _decided(
    contexts: tuple[Context, Context], chunks: list[Records], now_ms: int
) -> list[tuple[list[float], int, int]]:
    """Of each context: CPU seconds a record of each run that counts, how many alerts there were, and their bytes. A run of each in turn."""
    worlds = [(Accounts(), _begin()) for _ in contexts]
    seconds: list[list[float]] = [[] for _ in contexts]
    alerts, bytes_ = [0 for _ in contexts], [0 for _ in contexts]
    for number, chunk in enumerate(chunks):
        for which, context in enumerate(contexts):
            accounts, position = worlds[which]
            run = Run("t", 0, position.last_offset, chunk)
            began = time.process_time()
            decided = decide_run(run, accounts, position, context, now_ms)
            taken = time.process_time() - began
            worlds[which] = accounts, decided.position
            alerts[which] += decided.alert_outcomes.size
            bytes_[which] += sum(len(m.value or b"") for m in decided.messages if m.topic == context.names.alerts)
            if number >= WARM_RUNS:
                seconds[which].append(taken / len(chunk))
    return list(zip(seconds, alerts, bytes_, strict=True))


def _begin() -> Any:
    return genesis_block(
        app_id="a", topic="t", topic_id="i", partition=0, start=0, alerts_from_offset=0, versions={}, schema_id=1
    )[1]


if __name__ == "__main__":
    main()
