"""`monitor doctor`: is everything there that the monitor needs? One line each, with the fix."""

import json
from collections.abc import Iterator
from dataclasses import asdict

import click

from monitor.clock import Clock, SystemClock
from monitor.commands.checks.artifacts import check_exchange, check_model, check_rules, check_schemas
from monitor.commands.checks.brokers import TIMEOUT_S, Connection, check_brokers, check_limits
from monitor.commands.checks.clocks import check_clock
from monitor.commands.checks.finding import Finding, fail, skip, warn
from monitor.commands.checks.partitioner import check_partitioner
from monitor.commands.checks.topics import check_topics
from monitor.commands.config import warnings
from monitor.errors import BrokerError
from monitor.settings import Settings, load_settings
from monitor.wire.topics import inspect, plan

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red", "skip": "bright_black"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line: check, status, what, fix.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0.1, 600),
    default=TIMEOUT_S,
    show_default=True,
    help="Seconds to wait for Kafka.",
)
@click.pass_context
def doctor(ctx: click.Context, as_json: bool, timeout_s: float) -> None:
    """Look at Kafka, topics, producers, schemas, model, exchange table and clock. Writes nothing. Exit code 1 if anything fails."""
    failed = 0
    for finding in diagnose(load_settings(ctx.obj), SystemClock(), timeout_s):
        failed += finding.status == "fail"
        _print(finding, as_json)
    if failed:
        ctx.exit(1)


def diagnose(settings: Settings, clock: Clock, timeout_s: float = TIMEOUT_S) -> Iterator[Finding]:
    """Every finding, as it is made. What needs a broker is skipped when none answers."""
    for warning in warnings(settings):
        what, _, fix = warning.rpartition("; ")
        yield warn("settings", what, fix)
    yield check_schemas(settings)
    yield check_model(settings)
    yield check_rules(settings)
    yield check_exchange(settings)
    connection = Connection(settings)
    found, brokers = check_brokers(connection, settings, timeout_s)
    yield found
    if brokers:
        yield from _with_broker(connection, settings, clock, brokers, timeout_s)
    else:
        yield from (skip(check, "no broker to ask") for check in ("limits", "topics", "partitioner", "clock"))


def _with_broker(
    connection: Connection, settings: Settings, clock: Clock, brokers: int, timeout_s: float
) -> Iterator[Finding]:
    yield check_limits(connection, settings, timeout_s)
    try:
        facts = inspect(connection.admin, [topic.name for topic in plan(settings)], timeout_s)
    except BrokerError as error:
        yield fail("topics", str(error), "may this user describe topics?")
        return
    partitions = facts[settings.topic_transactions].partitions
    yield from check_topics(plan(settings, partitions or None), facts, brokers)
    if partitions:
        yield check_partitioner(settings, partitions, timeout_s)
    else:
        yield skip("partitioner", f"{settings.topic_transactions} does not exist")
    yield check_clock(connection, settings, clock, partitions)


def _print(finding: Finding, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(finding)))
        return
    fix = f"\n{'':26}fix: {finding.fix}" if finding.fix else ""
    click.echo(
        f"{click.style(f'{finding.status:<4}', COLOURS[finding.status])}  {finding.check:<20}{finding.what}{fix}"
    )
