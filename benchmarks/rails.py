"""`python -m benchmarks.rails`: what the other payment rails feel when one sends garbage at ten times their rate.

One worker and a broker share the machine. Payments of every rail but the wallet come at a steady rate; for a while in the middle wallet payments in a
currency that there is not come at ten times that rate. Latency is from handing a payment to the producer until a read_committed reader has its
alert, and until it has the account record that counts it (many more of these): before, during and after the garbage, and, to compare, while as many good
wallet payments come. Window and retry are short, so that the wall's end is seen.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.installation import Feed, Installation, Pairs, Worker, say, wait_for
from benchmarks.machine import facts
from benchmarks.protocol import quantiles
from monitor.embedded.kafka import EmbeddedKafka
from monitor.simulate.messages import transaction_messages
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate
from monitor.wire.columns import CHANNELS

RESULTS = Path(__file__).parent / "results"
PARTITIONS = 4
WARM_S = 10.0
"""Of the steady load, not counted."""

WINDOW_S, RETRY_S = 10.0, 5.0
"""Of the wall, instead of a minute each."""

WALLET = CHANNELS.index("wallet")
FRAUD_SHARE = 0.2
"""Much of the stream is fraud, or there were too few alerts to speak of quantiles."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rails", description=__doc__)
    parser.add_argument("--rate", type=int, default=1_000, help="payments a second (default 1000)")
    parser.add_argument("--garbage", type=int, default=10_000, help="bad ones a second (default 10000)")
    parser.add_argument("--seconds", type=float, default=30, help="of each of the four parts (default 30)")
    parser.add_argument("--output", type=Path, default=RESULTS / "rails.json")
    options = parser.parse_args()
    result = facts() | {name: getattr(options, name) for name in ("rate", "garbage", "seconds")}
    result |= {"rail_window_s": WINDOW_S, "rail_retry_s": RETRY_S}
    with EmbeddedKafka(heap_mib=1024) as kafka, Installation(kafka.bootstrap, PARTITIONS) as installation:
        result |= measure(installation, options.rate, options.garbage, options.seconds)
    result["load_1min_after"] = round(os.getloadavg()[0], 2)
    options.output.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps({name: result[name] for name in ("latency", "walled_after_s", "opened_after_s")}, indent=2))


def measure(installation: Installation, rate: int, garbage: int, seconds: float) -> dict[str, Any]:
    """Latencies of the four parts; when the wallet was walled off after the garbage began, and opened after it ended."""
    good = payments(int(rate * (WARM_S + 4 * seconds + 10)), OTHERS, seed=5)
    bad, as_many = (payments(int(garbage * seconds), kind, seed=6) for kind in (SPOILT, GOOD))
    worker = installation.start(rail_window_s=WINDOW_S, rail_retry_s=RETRY_S)
    wait_for(lambda: len(worker.recovered()) == PARTITIONS, "ready")
    file = Path(tempfile.mkdtemp(prefix="monitor-bench-")) / "seen.npz"
    with reading(installation, file):
        feed = Feed(installation, good, rate, stamped=True).start()
        time.sleep(WARM_S + seconds)
        began_s = time.time()
        worst = Feed(installation, bad, garbage).start().wait()
        ended_s = time.time()
        say(f"{worst.sent:,} bad records in {ended_s - began_s:.1f} s")
        time.sleep(seconds)
        compared_s = time.time()
        more = Feed(installation, as_many, garbage).start().wait()
        stopped_s = time.time()
        feed.stop()
        wait_for(lambda: worker.done() >= feed.sent + worst.sent + more.sent, "all decided", every_s=0.05)
        time.sleep(1.0)  # what is decided is being read
    starts = {"before": began_s - seconds, "during": began_s, "after": ended_s, "as many good ones": compared_s}
    return {
        "latency": latencies(feed, file, starts, stopped_s),
        "walled_after_s": when(worker, "walled", began_s),
        "opened_after_s": when(worker, "healthy", ended_s),
        "bad_records": worst.sent,
        "bad_a_second": round(worst.sent / (ended_s - began_s)),
        "late_ms": round(feed.late_s * 1000, 1),
        "bad_late_ms": round(worst.late_s * 1000, 1),
    }


OTHERS, SPOILT, GOOD = range(3)
"""Payments: of all rails but the wallet; of the wallet, in a currency that there is not; of the wallet, and good."""


def payments(count: int, kind: int, seed: int) -> list[Pairs]:
    """About as many, made beforehand."""
    spec = SimulationSpec(seed=seed, transactions=count, accounts=6_000, fraud_share=FRAUD_SHARE)
    shift, made = time.time_ns() // 1_000_000 - spec.end_ms, []
    for each in generate(spec):
        wallet = replace(each, channel=np.full(len(each), WALLET, np.uint8))
        batch = each.rows(each.channel != WALLET) if kind == OTHERS else wallet
        if kind == SPOILT:
            batch = replace(wallet, currency=np.full(len(each), b"QQQ"))
        messages = transaction_messages(batch.moved(shift), 1)
        made.append((messages.keys, messages.values))
    return made  # type: ignore[return-value]


@contextmanager
def reading(installation: Installation, file: Path) -> Iterator[None]:
    """Notes in `file` when alerts and account records become readable, in a process of its own."""
    settings = installation.settings
    topics = (settings.topic_alerts, settings.changelog_topic)
    command = [sys.executable, "-m", "benchmarks.reader", settings.brokers, *topics, str(file)]
    reader = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"reading\n"
        yield
    finally:
        reader.terminate()
        reader.wait()


def latencies(feed: Feed, file: Path, starts: dict[str, float], end_s: float) -> dict[str, dict[str, float]]:
    """By part: p50 and p99 in ms of the payments that were handed over in it."""
    seen = np.load(file)
    handed = np.array([feed.times.get((p, o), np.nan) for p, o in seen["places"].tolist()])
    taken_ms = (seen["times"] - handed) * 1000
    found = {}
    for name, begin, end in zip(starts, starts.values(), [*starts.values(), end_s][1:], strict=True):
        counted = (handed >= begin) & (handed < end)
        found[name] = quantiles("alert", taken_ms[counted & (seen["kind"] == 0)])
        found[name] |= quantiles("account", taken_ms[counted & (seen["kind"] == 1)])
    return found


def when(worker: Worker, state: str, since_s: float) -> float | None:
    """Seconds from then until the log says that the wallet is in this state; None if it never does. It is said once a second."""
    at = [line["at"] for line in worker.lines("rail") if (line["rail"], line["state"]) == ("wallet", state)]
    return next((round(each - since_s, 1) for each in at if each >= since_s), None)


if __name__ == "__main__":
    main()
