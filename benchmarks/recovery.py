"""`python -m benchmarks.recovery`: how long a killed worker's successor takes to load a million accounts.

Not from a freshly compacted log: topics as shipped, every account decided once, then `--seconds` at `--rate` transactions a second in
real time over accounts drawn at random (so that the broker compacts as it would), then kill -9 and a new worker with all
partitions. Timed by the new worker's log: from the group's assignment to the last partition recovered, and to the first new
block in the audit log. Bytes read are those of the changelog's segments on the broker's disk (a fetch carries batches as they lie there).
"""

import argparse
import json
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.installation import Feed, Installation, say, uniform, wait_for
from benchmarks.machine import facts
from monitor.effects.block import read_block
from monitor.embedded.kafka import EmbeddedKafka
from monitor.state.accounts import Accounts
from monitor.wire.kafka_config import client_config
from monitor.wire.kafka_log import KafkaLog

RESULTS = Path(__file__).parent / "results"
BROKER = {"log.cleaner.dedupe.buffer.size": str(128 << 20)}
"""Kafka's own default; the embedded broker is trimmed for tests, and could not hold a partition's keys."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recovery", description=__doc__)
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--rate", type=float, default=5_000, help="transactions a second, in real time (default 5000)")
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3, help="recoveries of the same log (default 3)")
    parser.add_argument("--output", type=Path, default=RESULTS / "recovery.json")
    options = parser.parse_args()
    with (
        EmbeddedKafka(BROKER, heap_mib=1024) as kafka,
        Installation(kafka.bootstrap, options.partitions) as installation,
    ):
        result = facts() | {name: getattr(options, name) for name in ("accounts", "seconds", "rate", "partitions")}
        fill(installation, options.accounts, options.seconds, options.rate)
        result["recoveries"] = []
        for _ in range(
            options.repeats
        ):  # the broker goes on compacting meanwhile: the first log is the one that counts
            log = changelog(kafka, installation)
            say(f"changelog: {log}")
            result["recoveries"].append(recovery(installation) | {"log": log})
        result["one_partition_by_itself"] = apart(installation)
    result["load_1min_after"] = round(os.getloadavg()[0], 2)
    options.output.write_text(json.dumps(result, indent=2) + "\n")
    say(f"{result['recoveries'][0]['recovered_s']} s; figures in {options.output}")


def fill(installation: Installation, accounts: int, seconds: float, rate: float) -> None:
    """Every account once, then time at the rate; kills the worker that decided it all, while the last of it is decided."""
    say(f"{accounts:,} accounts, each once")
    worker = installation.start()
    Feed(installation, uniform(accounts, accounts, 1)).start().wait()
    wait_for(lambda: worker.done() >= accounts, "every account decided")
    count = int(seconds * rate)
    say(f"{count:,} transactions at {rate:,.0f} a second")
    feed = Feed(installation, uniform(count, accounts, 2, rate), rate).start()
    told = 0.0
    while feed.sent < count:
        time.sleep(min(1.0, seconds / 10))
        worker.check()
        if time.monotonic() - told > 60:
            told = time.monotonic()
            say(
                f"{feed.sent:,} sent, {worker.done() - accounts:,} decided, {worker.memory_mb()} MB, {feed.late_s:.2f} s late"
            )
    worker.kill()
    installation.workers.remove(worker)
    feed.wait()


def changelog(kafka: EmbeddedKafka, installation: Installation) -> dict[str, Any]:
    """What the log is made of, on the broker's disk."""
    segments = [file for p in range(installation.partitions)
                for file in (kafka.data / f"{installation.settings.changelog_topic}-{p}").glob("*.log")]  # fmt: skip
    return {
        "offsets": sum(high - low for low, high in installation.ends(installation.settings.changelog_topic).values()),
        "segments": len(segments),
        "bytes_on_disk": sum(file.stat().st_size for file in segments),
    }


def recovery(installation: Installation) -> dict[str, Any]:
    """A new worker on the log as it is; one transaction a partition and more wait for it to decide. It is killed afterwards."""
    audit_ends = {p: high for p, (_, high) in installation.ends(installation.settings.topic_audit).items()}
    Feed(installation, uniform(20 * installation.partitions, 1_000, 3, rate=1e9)).start().wait()
    worker = installation.start()
    wait_for(lambda: len(worker.recovered()) == installation.partitions, "recovered")
    memory = worker.memory_mb()
    first_ms = wait_for(lambda: first_blocks(installation, audit_ends), "a block a partition")
    assigned = worker.lines("partitions assigned")[-1]["at"]
    lines = worker.lines("partition recovered")
    done = max(each["at"] for each in lines)
    out = {
        "started_to_assigned_s": round(assigned - worker.began_s, 2),
        "recovered_s": round(done - assigned, 2),
        "first_partition_recovered_s": round(min(each["at"] for each in lines) - assigned, 2),
        "first_decision_s": round(min(first_ms.values()) / 1000 - assigned, 2),
        "all_partitions_deciding_s": round(max(first_ms.values()) / 1000 - assigned, 2),
        "started_to_all_deciding_s": round(max(first_ms.values()) / 1000 - worker.began_s, 2),
        "accounts": sum(each["accounts"] for each in lines),
        "memory_mb": memory,
        "memory_peak_mb": worker.memory_mb("VmHWM"),
        "load_1min": round(os.getloadavg()[0], 2),
    }
    worker.kill()
    installation.workers.remove(worker)
    say(f"{out}")
    return out


def first_blocks(installation: Installation, since: dict[int, int]) -> dict[int, int]:
    """When each partition's first block since then was written, in ms; {} while one has none."""
    found: dict[int, int] = {}
    for message in installation.read(installation.settings.topic_audit, since):
        if read_block(message.value()).records:
            found.setdefault(message.partition(), message.timestamp()[1])
    return found if len(found) == installation.partitions else {}


def apart(installation: Installation) -> dict[str, Any]:
    """Partition 0 in this process: reading alone, and loading what was read."""
    log, topic = KafkaLog(client_config(installation.settings)), installation.settings.changelog_topic
    tail = log.tail(topic, 0)
    assert tail is not None, "the worker left a changelog"
    accounts, figures = Accounts(), Counter[str]()
    began, cpu = time.perf_counter(), time.process_time()
    for keys, values in log.read_through(topic, 0, tail.offset):
        at = time.perf_counter()
        accounts.load_many(keys, values)
        figures["load_s"] += time.perf_counter() - at  # type: ignore[assignment]
        figures["records"] += len(keys)
        figures["bytes"] += sum(map(len, keys)) + sum(len(value) for value in values if value)
    total = time.perf_counter() - began
    return {
        "records": figures["records"],
        "accounts": len(accounts),
        "bytes_of_keys_and_values": figures["bytes"],
        "total_s": round(total, 2),
        "load_many_s": round(figures["load_s"], 2),
        "cpu_s": round(time.process_time() - cpu, 2),
        "records_a_second": round(figures["records"] / total),
    }


if __name__ == "__main__":
    main()
