"""`monitor risk`: what labels say of merchants, devices and places, for workers to load."""

import getpass
from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.console import Console
from rich.table import Table

from monitor.clock import SystemClock
from monitor.commands.elsewhere import add_mirroring
from monitor.commands.progress import watched
from monitor.errors import SettingsError
from monitor.features.catalogue import RISK_KINDS
from monitor.keys import PASSPHRASE, load_private, read_passphrase
from monitor.learn.dataset import replay
from monitor.learn.moments import day_text, moment_ms
from monitor.learn.risk import snapshot
from monitor.learn.sources import FileSource
from monitor.money.exchange import load_exchange
from monitor.registry.approvals import RISK, Approval, approve
from monitor.risk.book import Snapshot
from monitor.risk.snapshots import load_book, load_snapshot, save_snapshot
from monitor.settings import load_settings
from monitor.state.layout import DAY_MS

EXPIRES_AFTER_DAYS = 3.0
READABLE = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.group()
def risk() -> None:
    """Snapshots of risk: built from labels, loaded by workers, in force from a stated event time."""


@risk.command()
@click.option(
    "--from",
    "files",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    help="Parquet or CSV of labelled payments, or a directory of them (docs/data.md): 40 days and more.",
)
@click.option(
    "--effective",
    required=True,
    help="Event time from which it is in force, such as 2026-11-22 or 2026-11-22T06:00Z; labels known by then are used.",
)
@click.option("--label-delay", default=7.0, show_default=True, help="Days that labels take to come.")
@click.option(
    "--expires-after", default=EXPIRES_AFTER_DAYS, show_default=True, help="Days after which it is too old to be used."
)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Default: the setting risk_dir.")
@click.option("--version", help="Name of the snapshot; default: the moment from which it is in force.")
@click.option("--key", "key_file", type=READABLE, help="Sign it with this private key; else monitor risk sign does.")
@click.option("--passphrase-file", type=READABLE, help=f"The key's passphrase; else {PASSPHRASE}, if set.")
@click.pass_obj
def build(
    config: Path | None,
    files: tuple[Path, ...],
    effective: str,
    label_delay: float,
    expires_after: float,
    out: Path | None,
    version: str | None,
    key_file: Path | None,
    passphrase_file: Path | None,
) -> None:
    """Count what labels known at a moment say, and write it as a snapshot that never changes."""
    console = Console(highlight=False)
    effective_ms = moment_ms(effective, "--effective")
    if expires_after <= 0 or label_delay < 0:
        raise SettingsError(
            f"--expires-after {expires_after}, --label-delay {label_delay}: days, above 0 and not below"
        )
    source = FileSource(files, to_ms=effective_ms)
    with watched(console, [source]) as told:
        data = replay(source.slices(), load_exchange(None), (), lambda rows: told(source.title, rows))
    name = version or day_text(effective_ms)
    made = snapshot(data, name, effective_ms, effective_ms + round(expires_after * DAY_MS), round(label_delay * DAY_MS))
    risk_dir = out or load_settings(config).risk_dir
    directory = save_snapshot(risk_dir, made, {"data_sha256": data.digest, "payments": len(data)})
    if key_file is not None:
        _sign(risk_dir, name, load_private(key_file, read_passphrase(passphrase_file)))
    console.print(f"{directory}: {_counts(made)} with a fraud confirmed in the 30 days before labels mature")


@risk.command()
@click.argument("version")
@click.option(
    "--key", "key_file", required=True, type=READABLE, help="Your private key; monitor audit keygen makes one."
)
@click.option("--passphrase-file", type=READABLE, help=f"The key's passphrase; else {PASSPHRASE}, if set.")
@click.pass_obj
def sign(config: Path | None, version: str, key_file: Path, passphrase_file: Path | None) -> None:
    """Put your key to a snapshot: to these very bytes."""
    risk_dir = load_settings(config).risk_dir
    _sign(risk_dir, version, load_private(key_file, read_passphrase(passphrase_file)))
    click.echo(f"{risk_dir / version}: signed")


@risk.command("list")
@click.option(
    "--dir", "risk_dir", type=click.Path(file_okay=False, path_type=Path), help="Default: the setting risk_dir."
)
@click.pass_obj
def list_snapshots(config: Path | None, risk_dir: Path | None) -> None:
    """The snapshots that workers hold, the latest of those there are, and when each is in force."""
    book = load_book(risk_dir or load_settings(config).risk_dir)
    table = Table(
        "snapshot", "in force from", "expires", *(f"{kind}s" for kind in RISK_KINDS), box=None, pad_edge=False
    )
    for each in book.snapshots:
        sizes = (f"{len(entities.figures):,}" for entities in each.entities)
        table.add_row(each.version, day_text(each.effective_ms), day_text(each.expires_ms), *sizes)
    Console(highlight=False).print(table)


def _sign(risk_dir: Path, version: str, key: Ed25519PrivateKey) -> None:
    seal = load_snapshot(risk_dir, version).seal
    approve(risk_dir, Approval(version, seal, "", getpass.getuser(), "", SystemClock().now_ms(), RISK), key)


def _counts(made: Snapshot) -> str:
    return ", ".join(f"{len(each.figures):,} {kind}s" for kind, each in zip(RISK_KINDS, made.entities, strict=True))


add_mirroring(risk, lambda settings: settings.risk_dir)
