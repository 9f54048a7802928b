"""`python -m benchmarks.profile`: where the processor time of a worker goes while it decides as fast as it can; by part of the way.

A worker with everything on has one processor, as in the race. /proc says how much processor time each of its threads took; py-spy
(https://github.com/benfred/py-spy, `pip install py-spy`) looks two hundred times a second what the Python ones are doing. A thread's time is divided among
the parts of its samples, of which those count that do not just wait; a sample's part is the one whose function stands innermost on its stack.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from benchmarks.installation import Worker
from benchmarks.machine import facts
from benchmarks.markers import between
from benchmarks.middle import until
from benchmarks.race.__main__ import topic_of
from benchmarks.race.broker import RaceKafka
from benchmarks.race.job import Jobs
from benchmarks.race.stream import SKEWED_ACCOUNTS, UNIFORM_ACCOUNTS, Stream
from benchmarks.race.systems import Ours, Task
from benchmarks.reading import BROKER_CPU, WORKER_CPU, pin
from benchmarks.threads import threads_s

RESULTS = Path(__file__).parent / "results" / "profile.json"
PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
RATE, BEGIN, END = "200", 0.15, 0.95

PARTS = {
    "decode": ("decode (monitor/wire/decode.py",),
    "score": ("_score (monitor/pipeline.py",),
    "fetch": (
        "monitor/wire/fetched.py",
        "monitor/wire/batches.py",
        "monitor/wire/reading.py",
        "aiokafka/",
        "monitor/wire/records.py",
    ),
    "validate": ("admit (monitor/guard/validate.py",),
    "find and fold accounts": ("_fold (monitor/pipeline.py", "slots (monitor/state/accounts.py"),
    "alerts": ("_alerts (monitor/pipeline.py",),
    "changelog": ("_changelog (monitor/pipeline.py",),
    "audit": ("build_block (", "_decisions (monitor/pipeline.py"),
    "produce and commit": ("commit (monitor/wire/transactions.py",),
    "metrics": ("record_run (", "monitor/observe/", "prometheus_client/"),
}
"""Parts of the way by functions or files on the stack; `ANYBODYS` are those that whoever does the job must do."""

ANYBODYS = ("fetch", "decode", "score")
WAITING = ("select (selectors.py", "_worker (concurrent/futures/thread.py", "wait (threading.py")
"""Innermost, of a thread that has nothing to do: on one processor py-spy takes some of them for busy."""

LIBRDKAFKA, REST = "librdkafka: batches, compression, sending", "event loop and the rest"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--events", type=int, default=3_000_000)
    parser.add_argument("--keys", choices=("skewed", "uniform"), default="skewed")
    parser.add_argument("--share", type=float, default=0.005, help="of transactions that alert (default 0.005)")
    parser.add_argument("--py-spy", default=shutil.which("py-spy"), help="where it is (default: on the PATH)")
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--page", action="store_true", help=f"also between the markers in {PAGE.name}")
    options = parser.parse_args()
    if options.py_spy is None:
        raise SystemExit("py-spy is not on the PATH: pip install py-spy, or name it with --py-spy")
    os.sched_setaffinity(0, {BROKER_CPU})
    accounts = SKEWED_ACCOUNTS if options.keys == "skewed" else UNIFORM_ACCOUNTS
    stream = Stream(options.keys, options.events, accounts)
    with tempfile.TemporaryDirectory(prefix="monitor-profile-") as directory, RaceKafka() as kafka:
        pin(kafka.pid, BROKER_CPU)
        job = Jobs(Path(directory)).make(stream, options.share)
        task = Task(kafka, job, topic_of(kafka, stream, options.events), options.events, WORKER_CPU, 0)
        with Ours(task) as ours:
            found = profiled(ours.worker, options, Path(directory) / "samples")
    result = facts() | {name: getattr(options, name) for name in ("events", "keys", "share")} | found
    options.output.write_text(json.dumps(result, indent=2) + "\n")
    text = table(result)
    if options.page:
        PAGE.write_text(between(PAGE.read_text(), "profile", text))
    print(text)


def profiled(worker: Worker, options: argparse.Namespace, samples: Path) -> dict[str, Any]:
    """Microseconds of processor time a record, by part, greatest first, and the share of what is anybody's."""
    first = until(worker, int(options.events * BEGIN))
    before = threads_s(worker.pid)
    spy = [options.py_spy, "record", "--pid", str(worker.pid), "--rate", RATE, "--threads", "--format", "raw"]
    with subprocess.Popen([*spy, "--output", str(samples)], stdout=subprocess.DEVNULL) as running:
        last = until(worker, int(options.events * END))
        after = threads_s(worker.pid)
        running.send_signal(signal.SIGINT)
    parts: dict[str, float] = defaultdict(float)
    seen = counted(samples.read_text())
    for thread, (kind, seconds) in after.items():
        us = 1e6 * (seconds - before.get(thread, (kind, 0.0))[1]) / (last - first)
        if kind == "librdkafka":
            parts[LIBRDKAFKA] += us
        else:
            of_thread = seen.get(thread, Counter({REST: 1}))
            for part, count in of_thread.items():
                parts[part] += us * count / of_thread.total()
    total = sum(parts.values())
    return {
        "records": last - first,
        "us_a_record": {part: round(us, 3) for part, us in sorted(parts.items(), key=lambda each: -each[1])},
        "all_us": round(total, 3),
        "anybodys_share": round(sum(parts[part] for part in ANYBODYS) / total, 3),
    }


def counted(samples: str) -> "dict[int, Counter[str]]":
    """Samples of each thread by part; a line is a stack, the thread first, the innermost frame last, and how often it was seen."""
    found: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for line in samples.splitlines():
        stack, _, count = line.rpartition(" ")
        thread, *frames = stack.split(";")
        if not any(each in frames[-1] for each in WAITING):
            found[int(re.findall(r"\d+", thread)[0])][part_of(frames)] += int(count)
    return found


def part_of(stack: list[str]) -> str:
    for frame in reversed(stack):
        for part, names in PARTS.items():
            if any(name in frame for name in names):
                return part
    return REST


def table(found: dict[str, Any]) -> str:
    """Markdown: what each part takes, and what of it whoever does the job must do."""
    all_us = found["all_us"]
    lines = [
        f"{found['records']:,} transactions of a {found['keys']} stream, {100 * found['share']:g} % alerts, on one core of "
        f"{found['machine']['processor']}; commit {found['commit']}.",
        "",
        "| part | us a transaction | share | |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| {part} | {us:.2f} | {us / all_us:.0%} | {'anybody must' if part in ANYBODYS else ''} |"
        for part, us in found["us_a_record"].items()
    ]
    return "\n".join([*lines, f"| all | {all_us:.2f} | | {', '.join(ANYBODYS)}: {found['anybodys_share']:.0%} |", ""])


if __name__ == "__main__":
    main()
