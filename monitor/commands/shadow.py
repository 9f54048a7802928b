"""`monitor shadow`: what a candidate thought of what the served model decided (docs/registry.md)."""

from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from monitor.decide.policy import OUTCOMES
from monitor.effects.shadow import ShadowBlock, read_shadow
from monitor.errors import DatasetError
from monitor.learn.labels import Verdicts
from monitor.learn.shadow_report import ShadowReport, shadow_report
from monitor.learn.topic import labels_of
from monitor.settings import Settings, load_settings
from monitor.versions import CANDIDATE, current_version
from monitor.wire.committed import committed, partitions_of


@click.group()
def shadow() -> None:
    """A candidate beside the champion: it scores everything and acts on nothing."""


@shadow.command()
@click.option("--candidate", help="The version; default: the one that watches now.")
@click.pass_obj
def report(config: Path | None, candidate: str | None) -> None:
    """What would have been different with the candidate, and whose alerts the labels confirm."""
    settings = load_settings(config)
    version = candidate or current_version(settings.models_dir, CANDIDATE)
    found = shadow_report(blocks(settings), version, Verdicts.of(labels_of(settings)))
    if not found.transactions:
        raise DatasetError(
            f"{settings.topic_shadow}: nothing of {version}; monitor models candidate {version} lets it watch, from then on"
        )
    tell(found, Console(highlight=False))


def blocks(settings: Settings) -> Iterator[ShadowBlock]:
    """All blocks of the topic, partition by partition. Raises `DatasetError` for a record that is none."""
    for partition in partitions_of(settings, settings.topic_shadow):
        for batch in committed(settings, settings.topic_shadow, partition):
            for message in batch:
                try:
                    yield read_shadow(message.value() or b"")
                except ValueError as error:
                    raise DatasetError(
                        f"{settings.topic_shadow}[{partition}] offset {message.offset()}: {error}; who else writes there?"
                    ) from None


def tell(found: ShadowReport, console: Console) -> None:
    """Print the report."""
    ours, theirs = found.alerts()
    champion = ", ".join(sorted(found.champion)) or "nothing"
    days = max(found.days, 1e-9)
    console.print(
        f"{found.transactions:,} transactions of {found.days:.1f} days, decided by {champion}, watched by {found.candidate}; "
        f"{found.unsaid:,} that it could not score, {found.missed:,} offsets in between that it did not see"
    )
    table = Table("", "alerts", "a day", "fraud by the labels", "genuine by the labels", box=None, pad_edge=False)
    for who, name, alerts in (("champion", champion, ours), ("candidate", found.candidate, theirs)):
        confirmed = (f"{found.confirmed[who, fraud]:,}" for fraud in (True, False))
        table.add_row(name, f"{alerts:,}", f"{alerts / days:,.1f}", *confirmed)
    console.print(table)
    agreement = Table(
        f"\n{champion} \\ {found.candidate}", *(f"\n{name}" for name in OUTCOMES), box=None, pad_edge=False
    )
    for name, row in zip(OUTCOMES, found.agreement.tolist(), strict=True):
        agreement.add_row(name, *(f"{each:,}" for each in row))
    console.print(agreement)
    if found.differing:
        differing = Table(
            "\ntransaction", "\naccount", f"\n{champion}", f"\n{found.candidate}", "\nfraud", box=None, pad_edge=False
        )
        for each in found.differing:
            fraud = {None: "?", True: "yes", False: "no"}[each.fraud]
            decided = f"{each.champion} ({each.champion_score:.3f})", f"{each.candidate} ({each.candidate_score:.3f})"
            differing.add_row(each.transaction_id, each.account_id, *decided, fraud)
        console.print(differing)
