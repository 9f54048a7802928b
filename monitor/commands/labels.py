"""`monitor labels`: what was found out about transactions, into the labels topic (docs/labels.md)."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import click
from confluent_kafka import KafkaException, Producer

from monitor.errors import BrokerError, DatasetError
from monitor.learn.labels import FRAUD, Label, Verdicts, read_labels
from monitor.learn.sources import FileSource
from monitor.resources import shipped
from monitor.settings import Settings, load_settings
from monitor.wire import columns as cells
from monitor.wire.kafka_config import producer_config
from monitor.wire.our_records import write_record
from monitor.wire.records import Spans
from monitor.wire.schema_source import open_source

ANSWER_S = 60.0
MOST_NAMED = 3


@click.group()
def labels() -> None:
    """What was found out about transactions later: chargebacks, analysts' verdicts."""


@labels.command("import")
@click.option(
    "--from",
    "file",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Parquet or CSV of labels (docs/labels.md).",
)
@click.option(
    "--payments",
    multiple=True,
    type=click.Path(path_type=Path),
    help="The payments they are about: each label must be of one of them, and later than it. May be repeated.",
)
@click.option("--dry-run", is_flag=True, help="Check only.")
@click.pass_obj
def import_labels(config: Path | None, file: Path, payments: tuple[Path, ...], dry_run: bool) -> None:
    """Check labels and write them to the labels topic. Writing the same ones again changes nothing: they say the same."""
    found = read_labels(file)
    Verdicts.of(found)
    if payments:
        check_against(found, FileSource(payments))
    fraud = sum(each.label == FRAUD for each in found)
    if not dry_run:
        settings = load_settings(config)
        write(settings, found)
    click.echo(f"{len(found):,} labels, {fraud:,} of fraud, {'checked' if dry_run else 'written'}")


def check_against(found: Sequence[Label], source: FileSource) -> None:
    """Raise `DatasetError` unless every label is of a payment of the source, and not before it."""
    times: dict[bytes, int] = {}
    for part in source.slices():
        columns = part.columns
        ids = Spans(columns.data, columns.starts[cells.TRANSACTION_ID], columns.lengths[cells.TRANSACTION_ID])
        times.update((name, time) for name, time in zip(ids.all(), part.event_time.tolist(), strict=True) if name)
    unknown = [each.transaction_id for each in found if each.transaction_id.encode() not in times]
    _none(unknown, "labels of transactions that are not among the payments")
    early = [each.transaction_id for each in found if each.label_time < times[each.transaction_id.encode()]]
    _none(early, "labels from before their transaction")


def _none(names: Sequence[str], what: str) -> None:
    if names:
        raise DatasetError(
            f"labels: {len(names)} {what}: {', '.join(names[:MOST_NAMED])}; correct them, or leave them out"
        )


def write(settings: Settings, found: Iterable[Label]) -> None:
    """Produce the labels, keyed by account. Raises `BrokerError` unless every one was acknowledged."""
    text = (shipped("schemas") / "label.avsc").read_text()
    schema_id = open_source(settings).id_of(f"{settings.topic_labels}-value", text)
    failed: list[object] = []
    producer = Producer(producer_config(settings) | {"linger.ms": 20})
    try:
        for label in found:
            value = write_record("label.avsc", label._asdict(), schema_id)
            producer.produce(
                settings.topic_labels,
                value,
                label.account_id.encode(),
                on_delivery=lambda error, _: failed.append(error) if error else None,
            )
            producer.poll(0)
        left = producer.flush(ANSWER_S)
    except (KafkaException, BufferError) as error:
        raise BrokerError(
            f"topic {settings.topic_labels}: {error}; import the file again, it changes nothing twice"
        ) from None
    if left or failed:
        raise BrokerError(
            f"topic {settings.topic_labels}: {left + len(failed)} labels not acknowledged ({failed[:1]}); import the file again"
        )
