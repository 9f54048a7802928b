"""`monitor controls`: what people decide by hand while workers run: written down, signed, listed (docs/controls.md)."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from monitor.clock import SystemClock
from monitor.commands.controlling import READABLE, add_controls, book_of, submitted
from monitor.controls.proposal import read_proposal, signed_with, write_proposal
from monitor.controls.record import Control
from monitor.controls.wording import said, span_text, time_text
from monitor.keys import PASSPHRASE, load_private, read_passphrase
from monitor.settings import load_settings

SHOWN_ID = 8
"""Characters of an id in the table; `withdraw` takes them."""

WIDE = 240
"""Columns of the table for a file or another program."""


@click.group()
def controls() -> None:
    """What people decide by hand while it runs: suppress alerts, override outcomes, add words to lists, wall off rails."""


@controls.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that were withdrawn, or whose time is over.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.pass_obj
def list_controls(config: Path | None, everything: bool, as_json: bool) -> None:
    """What is in force or will be: what, until when, who, why; and what was passed over."""
    book = book_of(load_settings(config))
    now_ms = SystemClock().now_ms()
    chosen = [each for each in book.entries if everything or not _over(each.control, now_ms)]
    if as_json:
        for offset, control in chosen:
            click.echo(json.dumps({"offset": offset, "key": control.key, **asdict(control)}))
        return
    table = Table("id", "what", "for payments of", "who", "why", "since", box=None, pad_edge=False)
    for _, control in chosen:
        since = f"{time_text(control.created_at)[:16]}Z"
        cells = (said(control), span_text(control), control.author, control.reason, since)
        table.add_row(control.control_id[:SHOWN_ID], *cells)
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else WIDE)
    console.print(table)
    console.print(f"version {book.version or '(none yet)'}")
    for each in book.refused:
        console.print(f"passed over: {each}")


@controls.command()
@click.argument("file", type=READABLE)
@click.option(
    "--key", "key_file", required=True, type=READABLE, help="Your private key; monitor audit keygen makes one."
)
@click.option("--passphrase-file", type=READABLE, help=f"The key's passphrase; else {PASSPHRASE}, if set.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def sign(config: Path | None, file: Path, key_file: Path, passphrase_file: Path | None, yes: bool) -> None:
    """Put your key to each control of a file, for this installation (app_id), once you have read what it says."""
    installation = load_settings(config).app_id
    proposed = read_proposal(file)
    for each in proposed:
        control = each.control
        click.echo(f"{said(control)}, {span_text(control)}; {control.author}: {control.reason}")
    if not yes:
        click.confirm(f"Sign for {installation}?", abort=True)
    signed = signed_with(proposed, load_private(key_file, read_passphrase(passphrase_file)), installation)
    write_proposal(file, signed)
    click.echo(
        f"{file}: {min((len(each.signatures) for each in signed), default=0)} signatures, yours for {installation}"
    )


@controls.command()
@click.argument("file", type=READABLE)
@click.pass_obj
def submit(config: Path | None, file: Path) -> None:
    """Write the controls of a file to the topic, with the signatures that they have."""
    settings = load_settings(config)
    submitted(settings, book_of(settings), read_proposal(file))


@controls.group()
def propose() -> None:
    """The same commands, into a file for others to sign: nothing is in force before it is submitted."""


def _over(control: Control, now_ms: int) -> bool:
    return control.withdrawn or (control.until_ms is not None and control.until_ms <= now_ms)


add_controls(controls, proposing=False)
add_controls(propose, proposing=True)
