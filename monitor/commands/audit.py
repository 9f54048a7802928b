"""`monitor audit`: verify the audit log, prove a decision, and pin the log with signed checkpoints (docs/audit.md)."""

import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import click

from monitor.audit.checkpoint import Checkpoint, anchors_of, read_chain
from monitor.audit.export import write_export
from monitor.audit.ledger import ledger_at
from monitor.audit.prove import prove as prove_in
from monitor.audit.report import Report
from monitor.audit.report import verify as verify_blocks
from monitor.audit.sign import attest, countersigned
from monitor.audit.source import Source, TopicSource, open_source
from monitor.audit.stored import Stored
from monitor.errors import ProtocolError, SettingsError
from monitor.keys import PASSPHRASE, load_private, load_public, make_key, read_passphrase
from monitor.settings import load_settings

PROGRESS_S = 2.0

Function = TypeVar("Function", bound=Callable[..., Any])

FILE = click.Path(path_type=Path, dir_okay=False)
READABLE = click.Path(path_type=Path, dir_okay=False, exists=True)


@dataclass(slots=True)
class _Progress:
    """Says on stderr how far it is, every `PROGRESS_S` seconds."""

    started: float = field(default_factory=time.monotonic)
    said: float = field(default_factory=time.monotonic)
    blocks: int = 0

    def __call__(self, at: Any) -> None:
        self.blocks += 1
        if time.monotonic() - self.said > PROGRESS_S:
            self.said = time.monotonic()
            rate = self.blocks / (self.said - self.started)
            click.echo(f"partition {at.partition}: {self.blocks:,} blocks read, {rate:,.0f} a second", err=True)

    def rates(self, report: Report) -> str:
        """Blocks and decisions, and how many a second."""
        took = max(time.monotonic() - self.started, 1e-9)
        return (
            f"{report.blocks:,} blocks ({report.blocks / took:,.0f}/s), "
            f"{report.decisions:,} decisions ({report.decisions / took:,.0f}/s) in {took:.1f} s"
        )


def _from(function: Function) -> Function:
    option = click.option("--from", "export_file", type=READABLE, help="An export; else the audit topic is read.")
    return option(function)


def _trust(function: Function) -> Function:
    for option in (
        click.option(
            "--signatures", type=click.IntRange(1), default=1, help="How many of these keys must have signed."
        ),
        click.option("--public-key", "public_keys", type=READABLE, multiple=True, help="A key to trust; repeatable."),
        click.option("--checkpoint", "where", metavar="FILE|topic:NAME", help="Signed checkpoints to hold it against."),
    ):
        function = option(function)
    return function


def _sign(function: Function) -> Function:
    for option in (
        click.option("--public-key", "public_keys", type=READABLE, multiple=True, help="Keys of other signers."),
        click.option("--to", "where", required=True, metavar="FILE|topic:NAME", help="Where checkpoints are kept."),
        click.option("--passphrase-file", type=READABLE, help=f"The key's passphrase; else {PASSPHRASE}, if set."),
        click.option("--key", "key_file", required=True, type=READABLE, help="The private key."),
    ):
        function = option(function)
    return function


@click.group()
def audit() -> None:
    """The audit log as evidence (docs/audit.md)."""


@audit.command(short_help="Copy the audit topic into a file.")
@click.option("--to", required=True, type=click.Path(path_type=Path), help="A file, or a directory for one.")
@click.pass_obj
def export(config: Path | None, to: Path) -> None:
    """Copy the committed blocks of all partitions into one Avro container file. Verify it with `monitor audit verify --from`."""
    source = TopicSource(load_settings(config))
    if to.is_dir():
        to /= f"{source.audit_topic}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.avro"
    progress = _Progress()

    def passed() -> Iterator[Stored]:
        for stored in source.blocks(source.partitions):
            progress(stored)
            yield stored

    count = write_export(to, source.audit_topic, source.partitions, passed())
    click.echo(f"{to}: {count:,} blocks of {len(source.partitions)} partitions, {to.stat().st_size:,} bytes")


@audit.command(short_help="Is the audit log whole and unaltered?")
@_from
@click.option("--partition", "only", type=click.IntRange(0), multiple=True, help="This partition only; repeatable.")
@_trust
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def verify(
    config: Path | None, export_file: Path | None, only: tuple[int, ...],
    where: str | None, public_keys: tuple[Path, ...], signatures: int, as_json: bool,
) -> int:  # fmt: skip
    """Walk the audit log and name the first thing in each partition that is not as it must be.

    Leaves with 0 when there is nothing, with 1 otherwise. Without checkpoints, blocks cut off at the end, and a log written anew
    as a whole, cannot be seen.
    """
    progress = _Progress()
    chain: list[Checkpoint] = []
    try:
        source = _source(config, export_file)
        chain = _checkpoints(config, export_file, where, public_keys, signatures)
        partitions = _partitions(source, only)
        anchors = {each: found for each, found in anchors_of(chain).items() if not only or each in only}
        report = verify_blocks(source.blocks(partitions), sorted({*partitions, *anchors}), anchors, progress)
    except ProtocolError as error:  # an export or a checkpoint that is not as it was written
        report = Report(damage=str(error))
    if as_json:
        click.echo(json.dumps({"checkpoints": len(chain), **report.as_json()}))
    else:
        _say(report, chain, progress)
    return 0 if report.ok else 1


@audit.command(short_help="Prove what was decided about a transaction.")
@click.option("--transaction", required=True, metavar="ID", help="The transaction's id.")
@_from
@_trust
@click.option(
    "--partition", "only", type=click.IntRange(0), multiple=True, help="Look in this partition only; repeatable."
)
@click.option("--out", type=FILE, help="Where to write the proof; else to stdout.")
@click.pass_obj
def prove(
    config: Path | None, transaction: str, export_file: Path | None, where: str | None,
    public_keys: tuple[Path, ...], signatures: int, only: tuple[int, ...], out: Path | None,
) -> int:  # fmt: skip
    """Write a proof of each decision about a transaction; examples/verify_proof.py checks it without this program.

    With --checkpoint the proof leads to the first checkpoint after the decision. Leaves with 1 when there is no such transaction.
    """
    source = _source(config, export_file)
    chain = _checkpoints(config, export_file, where, public_keys, signatures)
    proof = prove_in(source.blocks(_partitions(source, only)), transaction, chain, _Progress())
    if not proof["proofs"]:
        click.echo(f"transaction {transaction}: no decision about it in the audit log", err=True)
        return 1
    text = json.dumps(proof, indent=1)
    if out is None:
        click.echo(text)
    else:
        out.write_text(text + "\n", encoding="utf-8")
    for each in proof["proofs"]:
        block, decision = each["block"], each["decision"]
        attested = (
            f", attested by checkpoint {each['checkpoint']['checkpoint']['sequence']}" if "checkpoint" in each else ""
        )
        place = f"partition {block['partition']}, offset {decision['offset']}"
        click.echo(f"{place}: {decision['outcome']}, block {block['height']} {block['block_hash']}{attested}", err=True)
    return 0


@audit.command(short_help="Make a key that signs checkpoints.")
@click.option("--to", required=True, type=FILE, help="The private key; the public one goes beside it as FILE.pub.")
@click.option(
    "--passphrase-file", type=READABLE, help=f"Encrypt it with this file's first line; else {PASSPHRASE}, if set."
)
def keygen(to: Path, passphrase_file: Path | None) -> None:
    """Make an Ed25519 key pair: FILE (PEM, mode 0600) signs, FILE.pub is for whoever verifies."""
    passphrase = read_passphrase(passphrase_file)
    public, name = make_key(to, passphrase)
    click.echo(f"{to}: private key, {'encrypted' if passphrase else 'not encrypted'}, mode 0600\n{public}: key {name}")


@audit.command(short_help="Sign where every partition's chain stands.")
@_sign
@click.option("--every", type=click.FloatRange(min=1.0), metavar="SECONDS", help="Go on, one so often, until stopped.")
@click.pass_obj
def checkpoint(
    config: Path | None, key_file: Path, passphrase_file: Path | None,
    where: str, public_keys: tuple[Path, ...], every: float | None,
) -> int:  # fmt: skip
    """Verify the log since the last checkpoint, then sign where it stands. What is not whole is never signed: exit code 1."""
    settings = load_settings(config)
    key, ledger = load_private(key_file, read_passphrase(passphrase_file)), ledger_at(settings, where)
    trusted = load_public(public_keys)
    stop = threading.Event()
    if every is not None:
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda *_: stop.set())
    while True:
        progress = _Progress()
        report, made = attest(TopicSource(settings), ledger, key, trusted, progress)
        if made is None:
            _say(report, [], progress)
            click.echo("not signed", err=True)
            return 1
        click.echo(
            f"checkpoint {made.sequence}: {len(made.anchors)} partitions, {made.digest()}; {progress.rates(report)}"
        )
        sys.stdout.flush()
        if every is None or stop.wait(every):
            return 0


@audit.command(short_help="Add a signature to the last checkpoint.")
@_sign
@click.pass_obj
def countersign(
    config: Path | None, key_file: Path, passphrase_file: Path | None, where: str, public_keys: tuple[Path, ...]
) -> int:
    """Verify the log against the last checkpoint, then sign that checkpoint too: for policies that ask for several signers."""
    settings = load_settings(config)
    key, ledger = load_private(key_file, read_passphrase(passphrase_file)), ledger_at(settings, where)
    progress = _Progress()
    report, made = countersigned(TopicSource(settings), ledger, key, load_public(public_keys), progress)
    if made is None:
        _say(report, [], progress)
        click.echo("not signed", err=True)
        return 1
    click.echo(f"checkpoint {made.sequence}: {len(made.signatures)} signatures; {progress.rates(report)}")
    return 0


def _source(config: Path | None, export_file: Path | None) -> Source:
    return open_source(None if export_file else load_settings(config), export_file)


def _partitions(source: Source, only: Sequence[int]) -> list[int]:
    if absent := set(only) - set(source.partitions):
        raise SettingsError(f"--partition {min(absent)}: {source.audit_topic} has {source.partitions}")
    return sorted(only) or source.partitions


def _checkpoints(
    config: Path | None, export_file: Path | None, where: str | None, public_keys: tuple[Path, ...], signatures: int
) -> list[Checkpoint]:
    if where is None:
        return []
    keys = load_public(public_keys)
    if len(keys) < signatures:
        raise SettingsError(
            f"--signatures {signatures} with {len(keys)} different --public-key: who signs must be named; give their .pub files"
        )
    settings = None if export_file and not where.startswith("topic:") else load_settings(config)
    chain = read_chain(ledger_at(settings, where).lines(), keys, signatures)
    if not chain:
        raise SettingsError(f"--checkpoint {where}: there is no checkpoint in it; make one: monitor audit checkpoint")
    return chain


def _say(report: Report, chain: Sequence[Checkpoint], progress: _Progress) -> None:
    for each in report.chains:
        if each.finding is not None:
            click.echo(str(each.finding))
        elif each.last is None:
            click.echo(f"partition {each.partition}: no blocks")
        else:
            attested = f", {each.anchored} of them attested" if chain else ""
            told = f"{each.blocks:,} blocks{attested}, {each.decisions:,} decisions, to offset {each.last.last_offset}"
            click.echo(f"partition {each.partition}: good: {told}, {each.last.block_hash.hex()}")
    if report.damage is not None:
        click.echo(report.damage)
    click.echo(progress.rates(report), err=True)
    if report.ok and not chain:
        click.echo("no checkpoint was given: a cut-off end, or a log written anew, would not be seen", err=True)
