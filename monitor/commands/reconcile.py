"""`monitor reconcile`: is everything that was written what the input asks for?"""

import json
from pathlib import Path

import click

from monitor.clock import SystemClock
from monitor.deciding import DecidingContext
from monitor.reconcile.check import Checker
from monitor.reconcile.findings import DEFECTS, FACTS, Findings
from monitor.settings import load_settings
from monitor.wire.kafka_config import client_config
from monitor.wire.kafka_log import KafkaLog


@click.command()
@click.option("--partition", "only", type=click.IntRange(0), multiple=True, help="This partition only; repeatable.")
@click.option("--no-reference", is_flag=True, help="Do not decide the input anew: no comparison of scores and state.")
@click.option(
    "--wait", "wait_s", type=click.FloatRange(0), default=0.0, metavar="SECONDS", help="Wait for what is undecided."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def reconcile(config: Path | None, only: tuple[int, ...], no_reference: bool, wait_s: float, as_json: bool) -> int:
    """Hold alerts, dead letters, audit log and state against the input: lost, twice, out of order, different.

    It decides the whole input anew, in one uninterrupted pass, and needs the settings, the models and the schemas of the workers; they
    may go on meanwhile. Leaves with 0 when nothing is wrong, with 1 otherwise. What is not decided yet is lag, and not wrong.
    """
    settings = load_settings(config)
    deciding = None if no_reference else DecidingContext(settings, SystemClock())
    checker = Checker(settings, KafkaLog(client_config(settings)), deciding, lambda text: click.echo(text, err=True))
    partitions = list(only) or checker.partitions()
    if wait_s:
        checker.wait(partitions, wait_s)
    found = checker.run(partitions)
    total = Findings()
    for each in found.values():
        total.add(each)
    if as_json:
        click.echo(json.dumps({**total.as_json(), "reference": deciding is not None}))
    else:
        _show(found, total)
    return 0 if total.ok else 1


def _show(found: dict[int, Findings], total: Findings) -> None:
    columns = [*map(str, found), "all"]
    width = max(10, *(len(f"{total.counts[name]:,}") for name in FACTS))
    click.echo(f"{'partition':<22}" + "".join(f"{each:>{width + 2}}" for each in columns))
    for name in (*FACTS, *DEFECTS):
        cells = "".join(f"{each.counts[name]:>{width + 2},}" for each in (*found.values(), total))
        click.secho(f"{name:<22}{cells}", fg="red" if name in DEFECTS and total.counts[name] else None)
    for each in total.notes:
        click.echo(f"note: {each}")
    for each in total.words:
        click.secho(each, fg="red")
    click.echo(f"audit log: {'verified' if total.audit_verified else 'NOT AS IT MUST BE'}")
    click.echo(f"group offset: {'at the end' if total.group_at_end else 'behind'}")
    click.secho("nothing is wrong" if total.ok else "something is wrong", fg="green" if total.ok else "red")
