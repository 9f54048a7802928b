"""`python -m benchmarks.packing`: what a changelog value weighs and takes, packed and as layout 1 wrote it.

Accounts of the simulator after `--days`. Both ways are interleaved on the same accounts, a run drawn at random each time, whose
records were just read as the fold reads them. Times are of the CPU, medians over repeats; lz4 is of 100 values at a time.
"""

import argparse
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any

import cramjam
import numpy as np

from benchmarks.machine import facts
from monitor.clock import ManualClock
from monitor.deciding import DecidingContext
from monitor.effects.audit import genesis_block
from monitor.pipeline import decide_run
from monitor.settings import load_settings
from monitor.simulate.messages import transaction_messages
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate
from monitor.state.accounts import Accounts
from monitor.state.layout import ACCOUNT, HEADER_BYTES
from monitor.state.migrations import HEADER
from monitor.state.packing import UNIT, pack, unpack
from monitor.wire.records import Record, Records, Run

WORDS = ACCOUNT.itemsize // 8
LZ4_AT_ONCE = 100


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.packing", description=__doc__)
    parser.add_argument("--accounts", type=int, default=10_000)
    parser.add_argument("--a-day", type=float, nargs="+", default=[0.5, 2, 3], help="transactions an account")
    parser.add_argument("--days", type=float, default=7)
    parser.add_argument(
        "--run", type=int, default=2_000, help="accounts in a run; 2,000 records are more than a core's cache holds"
    )
    parser.add_argument("--repeats", type=int, default=100)
    options = parser.parse_args()
    result = facts()
    for rate in options.a_day:
        units = accounts_after(options.days, options.accounts, rate)
        result[f"{rate:g} a day"] = sizes(units) | times(units, options.run, options.repeats)
    print(json.dumps(result, indent=2))


def accounts_after(days: float, accounts: int, rate: float) -> Any:
    """uint32[accounts, units]: the records of a partition that decided `rate` transactions an account and day."""
    spec = SimulationSpec(transactions=int(days * accounts * rate), accounts=accounts, days=days)
    log: list[Record] = []
    for batch in generate(spec):
        messages = transaction_messages(batch, 1)
        log += [Record(len(log) + i, k, v) for i, (k, v) in enumerate(zip(messages.keys, messages.values, strict=True))]
    context = DecidingContext(load_settings(environ={}), ManualClock(spec.end_ms)).for_records(Records.of(log))
    _, position = genesis_block(
        app_id="bench",
        topic="t",
        topic_id="bench",
        partition=0,
        start=0,
        alerts_from_offset=0,
        versions={},
        schema_id=1,
    )
    held = Accounts()
    for first in range(0, len(log), 8_000):
        run = Run("t", 0, position.last_offset, Records.of(log[first : first + 8_000]))
        position = decide_run(run, held, position, context, spec.end_ms).position
    return held.records[: len(held)].copy().view(UNIT).reshape(len(held), -1)


def plain(units: Any, rows: Any) -> list[bytes]:
    """As layout 1 wrote records, and `Accounts.values` did."""
    block = np.empty((len(rows), 1 + WORDS), np.int64)
    block[:, 0] = 1
    block[:, 1:] = units.view(np.int64)[rows]
    joined, size = block.tobytes(), HEADER_BYTES + ACCOUNT.itemsize
    return [joined[at : at + size] for at in range(0, len(joined), size)]


def read_plain(values: list[bytes], units: Any, rows: Any) -> None:
    units.view(np.int64)[rows] = np.frombuffer(b"".join(values), np.int64).reshape(len(values), -1)[:, 1:]


def sizes(units: Any) -> dict[str, Any]:
    rows = np.random.default_rng(1).permutation(len(units))
    out: dict[str, Any] = {"accounts": len(units)}
    for name, values in (("plain", plain(units, rows)), ("packed", pack(units, rows, HEADER))):
        lengths = np.array([len(value) for value in values])
        joined = (b"".join(values[at : at + LZ4_AT_ONCE]) for at in range(0, len(values), LZ4_AT_ONCE))
        squeezed = sum(len(cramjam.lz4.compress_block(each)) for each in joined)
        out[f"{name}_bytes"] = {
            "mean": round(float(lengths.mean()), 1),
            "p50": float(np.percentile(lengths, 50)),
            "p95": float(np.percentile(lengths, 95)),
            "lz4_mean": round(squeezed / len(values), 1),
        }
    return out


def times(units: Any, run: int, repeats: int) -> dict[str, Any]:
    """Microseconds a value."""
    draws, seconds = np.random.default_rng(2), defaultdict[str, list[float]](list)
    into = np.zeros_like(units)

    def timed(name: str, action: Callable[[], Any]) -> Any:
        began = time.thread_time()
        result = action()
        seconds[name].append((time.thread_time() - began) / run * 1e6)
        return result

    for _ in range(repeats):
        rows = np.sort(draws.choice(len(units), run, replace=False))
        units[rows].sum()
        as_was = timed("encode_plain", partial(plain, units, rows))
        packed = timed("encode_packed", partial(pack, units, rows, HEADER))
        timed("decode_plain", partial(read_plain, as_was, into, rows))
        timed("decode_packed", partial(unpack, packed, HEADER, into, rows))
    return {
        f"us_{name}": {"median": round(statistics.median(each), 3), "least": round(min(each), 3)}
        for name, each in seconds.items()
    }


if __name__ == "__main__":
    main()
