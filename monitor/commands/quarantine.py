"""`monitor quarantine`: take one record out of the way."""

import getpass
import json
from hashlib import sha256
from pathlib import Path

import click

from monitor.app import takeover_of
from monitor.clock import SystemClock
from monitor.deciding import DecidingContext
from monitor.effects.audit import position_of
from monitor.effects.block import read_block
from monitor.effects.deadletters import DeadLetterTopic
from monitor.quarantine import quarantine as take_out
from monitor.settings import load_settings
from monitor.takeover import Takeover


@click.command()
@click.option("--partition", type=click.IntRange(0), required=True, help="Partition of the transactions topic.")
@click.option("--offset", type=click.IntRange(0), required=True, help="The record: the next undecided one there.")
@click.option("--note", required=True, help="Why; it stands in the audit log.")
@click.option("--by", default=getpass.getuser, help="Who; it stands in the audit log (default: you).")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="The result as one JSON object; asks nothing.")
@click.pass_obj
def quarantine(config: Path | None, partition: int, offset: int, note: str, by: str, yes: bool, as_json: bool) -> None:
    """Dead-letter one record unread, with an entry in the audit log, so that its partition goes on behind it.

    For a record that ends the worker at each start; the worker's log names partition and offset. A worker that has the partition is
    fenced, leaves with exit code 75, and goes on behind the record when it is restarted.
    """
    settings = load_settings(config)
    takeover = takeover_of(settings, DecidingContext(settings, SystemClock()), SystemClock())
    if not (yes or as_json):
        _ask(takeover, partition, offset)
    to = DeadLetterTopic(settings.topic_dlq, settings.app_id, settings.dlq_max_bytes)
    done = take_out(takeover, to, partition, offset, f"{by}: {note}")
    where = f"{settings.topic_transactions}[{partition}] offset {offset}"
    if as_json:
        digest = sha256(done.record.value or b"").hexdigest()
        click.echo(json.dumps({"partition": partition, "offset": offset, "sha256": digest, "block": done.height}))
    else:
        click.echo(
            f"{where} is in {settings.topic_dlq}, decided in audit block {done.height}; the next worker goes on behind it"
        )


def _ask(takeover: Takeover, partition: int, offset: int) -> None:
    """Show what would be taken out; nothing is fenced yet."""
    tail = takeover.log.tail(takeover.audit_topic, partition)
    after = -1 if tail is None or tail.value is None else position_of(read_block(tail.value)).last_offset
    record = takeover.record_from(partition, after + 1)
    where = f"{takeover.topic}[{partition}]"
    if record is None or record.offset != offset:
        found = "there is none" if record is None else f"it is {record.offset}"
        raise click.UsageError(f"{where}: offset {offset} is not the next undecided record; {found}")
    click.echo(f"{where} offset {offset}: key {record.key!r}, {len(record.value or b''):,} bytes")
    click.confirm("Dead-letter it unread?", abort=True)
