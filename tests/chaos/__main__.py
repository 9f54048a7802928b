"""Chaos for as long as wanted: `make chaos ARGS="--transactions 2000000 --kills 200 --each 30 --seed 1 --json FILE"`.

Starts a Kafka of its own and two workers, lets a paced stream of transactions flow, breaks things from a seeded list, waits until
everything is decided, and lets the checker count. Exit code 1 when anything was lost, repeated or otherwise not as it must be.
"""

import argparse
import json
import os
import platform
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.chaos import proxy
from tests.chaos.campaign import Campaign, Counts, reasons, summary
from tests.chaos.disk import mountable
from tests.chaos.stage import Ground, Stage, keep
from tests.verdict import reconcile, violations


def main() -> int:
    options = _options()
    for name in [name for name in os.environ if name.startswith("MONITOR_")]:
        del os.environ[name]
    for what, why in (("network faults", proxy.available()), ("a full disk", mountable())):
        if why:
            print(f"!!! LEFT OUT: {what}: {why}", flush=True)
    ground = Ground(
        options.workers + 1,
        proxied=not proxy.available(),
        disk_mib=0 if mountable() else options.disk_mib,
    )
    counts = Counts(
        options.kills, options.each, options.rebalances, network=ground.proxy is not None, disk=ground.disk is not None
    )
    began = time.time()
    with closing(ground), Stage(ground, f"chaos-{options.seed}", options.partitions) as stage:
        stage.start_workers()
        campaign = Campaign(stage, options.seed, options.transactions, counts.rounds(options.seed))
        print(f"seed {options.seed}: about {campaign.total_s / 60:.0f} min of faults", flush=True)
        campaign.run()
        campaign.finish()
        found = reconcile(stage.installation)
        wrong = campaign.tally.wrong + violations(found, campaign.feed.confirmed)
        if wrong and options.logs:
            for lane in stage.lanes:
                keep(lane, Path(options.logs))
        report = _report(options, stage, campaign, found, wrong, time.time() - began)
    _print(report)
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=1) + "\n")
    return 1 if wrong else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--transactions", type=int, default=100_000, help="at least so many flow")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--kills", type=int, default=20, help="kill -9 of workers: half at random, half at failpoints")
    parser.add_argument("--each", type=int, default=3, help="of each other fault")
    parser.add_argument("--rebalances", type=int, default=12, help="by workers that leave, return, join")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--disk-mib", type=int, default=8_192, help="size of the broker's disk, in memory")
    parser.add_argument("--json", help="file for the figures")
    parser.add_argument("--logs", help="directory for the workers' logs if something is wrong")
    return parser.parse_args()


def _report(
    options: argparse.Namespace,
    stage: Stage,
    campaign: Campaign,
    found: dict[str, Any],
    wrong: list[str],
    wall_s: float,
) -> dict[str, Any]:
    return {
        "options": vars(options),
        "machine": {"cpus": os.cpu_count(), "platform": platform.platform(), "load_1m": os.getloadavg()[0]},
        "wall_s": round(wall_s),
        "sent_at_least": campaign.feed.sent,
        "upstream": dict(campaign.feed.counts),
        "starts": sum(lane.starts for lane in stage.lanes),
        "rebalance_generations": campaign.generations,
        "faults": summary(campaign.tally, stage.crew.exits()),
        "exits": {fault: {str(k): v for k, v in codes.items()} for fault, codes in stage.crew.exits().items()},
        "failpoints_missed": stage.missed,
        "reasons": reasons(each for lane in stage.lanes for each in lane.ended),
        "disk_used_mib": stage.disk.used_bytes >> 20 if stage.disk is not None else None,
        "checker": found,
        "wrong": wrong,
    }


def _print(report: dict[str, Any]) -> None:
    print(f"\n{'fault':<30}{'count':>6}{'pause median':>14}{'max':>8}   exits by code")
    for row in report["faults"]:
        exits = ", ".join(f"{count} x {code}" for code, count in row["exits"].items())
        print(
            f"{row['fault']:<30}{row['count']:>6}{row['pause_s_median']!s:>12} s{row['pause_s_max']!s:>6} s   {exits}"
        )
    for name in ("sent_at_least", "upstream", "starts", "rebalance_generations", "checker"):
        print(f"{name}: {report[name]}")
    for reason, count in report["reasons"].items():
        print(f"left by itself, {count} x {reason}")
    for each in report["wrong"]:
        print(f"WRONG: {each}")
    print(f"chaos: {sum(row['count'] for row in report['faults'])} faults, {len(report['wrong'])} violations")


if __name__ == "__main__":
    sys.exit(main())
