"""`monitor run`: the worker."""

import gc

import click
from confluent_kafka.admin import AdminClient
from faust.worker import Worker

from monitor.app import build
from monitor.errors import MonitorError
from monitor.observe import logs
from monitor.settings import load_settings
from monitor.wire.kafka_config import admin_config
from monitor.wire.topics import create_missing

FAUST_FAILURE = 1
"""What Faust leaves with after an unforeseen exception; for us 1 is a check that found a problem (docs/exit-codes.md)."""


@click.command()
@click.option("--create-topics", is_flag=True, help="Make missing topics first, as `monitor topics create` would.")
@click.pass_context
def run(context: click.Context, create_topics: bool) -> None:
    """Run the worker: read transactions, keep state, score, alert. Stops cleanly on SIGTERM."""
    settings = load_settings(context.obj)
    logs.configure(settings.log_level, settings.log_format)
    if create_topics:
        create_missing(AdminClient(admin_config(settings)), settings)
    app = build(settings)
    _calm_collector()
    worker = Worker(app, override_logging=False, quiet=True, redirect_stdouts=False)
    worker.spinner = None  # logs are for machines here
    try:
        worker.execute_from_commandline()
    except SystemExit as leaving:
        if leaving.code == FAUST_FAILURE:  # an exception in one of Faust's services; it has been logged
            raise SystemExit(MonitorError.exit_code) from None
        raise


def _calm_collector() -> None:
    """Let Python's cycle collector run seldom: a run makes thousands of small tuples and no cycles.

    With the defaults (every 700 allocations) the collector took a fifth of the worker's time under load.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 20)
