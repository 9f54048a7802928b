"""`monitor export`: payments and labels from their topics, as a file to learn from."""

from pathlib import Path

import click
from rich.console import Console

from monitor.learn.moments import moment_ms
from monitor.learn.topic import Exported
from monitor.learn.topic import export as export_topic
from monitor.settings import load_settings


@click.command()
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The Parquet file to write."
)
@click.option("--since", help="Event time from which on, such as 2026-11-01.")
@click.option("--until", help="Event time before which.")
@click.pass_obj
def export(config: Path | None, out: Path, since: str | None, until: str | None) -> None:
    """Write the payments of the transactions topic, with what the labels topic says of them, as Parquet (docs/data.md)."""
    console = Console(highlight=False)
    read = 0
    with console.status("reading") as status:

        def on_progress(records: int) -> None:
            nonlocal read
            read += records
            status.update(f"{read:,} records read")

        found = export_topic(
            load_settings(config),
            out,
            None if since is None else moment_ms(since, "--since"),
            None if until is None else moment_ms(until, "--until"),
            on_progress,
        )
    console.print(f"{out}: {told(found)}")


def told(found: Exported) -> str:
    """What an export came to, in words."""
    parts = [f"{found.payments:,} payments, {found.labelled:,} of them labelled"]
    if found.strangers:
        parts.append(f"{found.strangers:,} labels are of none of them")
    parts += [f"{count:,} records left out as {reason}" for reason, count in found.undecodable.items()]
    return "; ".join(parts)
