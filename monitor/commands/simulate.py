"""`monitor simulate`: seeded payments with labelled fraud, to Kafka or to a file."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from monitor.clock import SystemClock
from monitor.errors import SettingsError
from monitor.settings import load_settings
from monitor.simulate.batch import Batch
from monitor.simulate.files import write_csv, write_parquet
from monitor.simulate.kafka import Sent, send
from monitor.simulate.scenarios import SCENARIOS
from monitor.simulate.spec import DEFAULT_START_MS, SimulationSpec
from monitor.simulate.stream import generate
from monitor.wire.schema_source import open_source
from monitor.wire.start import parse_start

_CHOICE = click.Choice([scenario.name for scenario in SCENARIOS])


@click.command()
@click.option("--transactions", "-n", default=50_000, show_default=True, help="Records, fraud and retries included.")
@click.option("--accounts", type=int, help="Accounts; default: a sixtieth of the transactions.")
@click.option("--seed", default=1, show_default=True, help="Equal options and seed give equal bytes.")
@click.option("--days", type=float, help="Event time covered; default: such that an account pays twice a day.")
@click.option(
    "--start", default=None, help="Event time of the first record, such as 2026-01-05T00:00:00Z (that is the default)."
)
@click.option(
    "--scenario", "scenarios", multiple=True, type=_CHOICE, help="Only this kind of fraud; repeatable; default: all."
)
@click.option("--fraud", default=0.007, show_default=True, help="Share of fraudulent records; 0 for none.")
@click.option("--duplicates", default=0.001, show_default=True, help="Share of upstream retries.")
@click.option("--late", default=0.0, show_default=True, help="Share of records that arrive late, out of order.")
@click.option("--to-kafka", is_flag=True, help="Write to the transactions topic of the settings.")
@click.option("--parquet", type=click.Path(dir_okay=False, path_type=Path), help="Write to this Parquet file.")
@click.option("--csv", "csv_file", type=click.Path(dir_okay=False, path_type=Path), help="Write to this CSV file.")
@click.option("--rate", default=0.0, show_default=True, help="Kafka: records a second; 0: as fast as possible.")
@click.option("--corrupt", default=0.0, show_default=True, help="Kafka: share of messages spoiled on purpose.")
@click.option("--labels", is_flag=True, help="Kafka: write the labels topic as well.")
@click.option(
    "--until",
    default=None,
    help="The stream ends at this time; `now` (Kafka's default), `start` (keep --start), or a time.",
)
@click.option("--list-scenarios", is_flag=True, help="Say what each kind of fraud is, and leave.")
@click.pass_context
def simulate(
    context: click.Context,
    /,
    to_kafka: bool,
    parquet: Path | None,
    csv_file: Path | None,
    rate: float,
    labels: bool,
    until: str | None,
    list_scenarios: bool,
    **what: Any,
) -> None:
    """Generate realistic payments with labelled fraud, the same for the same seed: see docs/simulator.md."""
    if list_scenarios:
        _print_scenarios()
        return
    if sum((to_kafka, parquet is not None, csv_file is not None)) != 1:
        raise click.UsageError("name one destination: --to-kafka, --parquet FILE or --csv FILE")
    if not to_kafka and (rate or labels or what["corrupt"]):
        raise click.UsageError(
            "--rate, --corrupt and --labels are for --to-kafka: files hold good records, with labels"
        )
    spec = _spec(**what)
    until_ms = _until_ms(until or ("now" if to_kafka else "start"))
    if to_kafka:
        _to_kafka(context.obj, spec, rate=rate, labels=labels, until_ms=until_ms)
    else:
        _to_file(spec, parquet, csv_file, until_ms)


def _spec(start: str | None, scenarios: tuple[str, ...], fraud: float, **fields: Any) -> SimulationSpec:
    start_ms = DEFAULT_START_MS if start is None else _time_ms("start", start)
    spec = SimulationSpec(start_ms=start_ms, fraud_share=fraud, **fields)
    return replace(spec, scenarios=tuple((name, 1.0) for name in dict.fromkeys(scenarios))) if scenarios else spec


def _to_kafka(config: Path | None, spec: SimulationSpec, *, rate: float, labels: bool, until_ms: int | None) -> None:
    settings = load_settings(config)
    source = open_source(settings)
    try:
        with _Bar(spec.transactions) as advance:

            def shown(sent: Sent) -> None:
                advance(sent.transactions)

            sent = send(spec, settings, source, rate=rate, labels=labels, until_ms=until_ms, on_progress=shown)
    finally:
        source.close()
    click.echo(
        f"{sent.transactions} transactions to {settings.topic_transactions}: {sent.fraud} fraudulent, {sent.corrupted} spoiled; "
        f"{sent.labels} labels"
    )


def _to_file(spec: SimulationSpec, parquet: Path | None, csv_file: Path | None, until_ms: int | None) -> None:
    by_ms = 0 if until_ms is None else until_ms - spec.end_ms
    with _Bar(spec.transactions) as advance:

        def counted() -> Iterator[Batch]:
            rows = 0
            for batch in generate(spec):
                yield batch.moved(by_ms) if by_ms else batch
                rows += len(batch)
                advance(rows)

        rows = write_parquet(counted(), parquet) if parquet is not None else write_csv(counted(), csv_file or Path())
    click.echo(f"{rows} transactions to {parquet or csv_file}")


class _Bar:
    """A progress bar on standard error, where that is a terminal."""

    def __init__(self, total: int) -> None:
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=console, disable=not console.is_terminal)
        self._task = self._progress.add_task("simulate", total=total)

    def __enter__(self) -> Callable[[int], None]:
        self._progress.start()
        return lambda done: self._progress.update(self._task, completed=done)

    def __exit__(self, *_error: object) -> None:
        self._progress.stop()


def _print_scenarios() -> None:
    table = Table("scenario", "what happens", "its mark", show_lines=True)
    for scenario in SCENARIOS:
        table.add_row(scenario.name, scenario.about, scenario.mark)
    Console(width=None if Console().is_terminal else 120).print(table)


def _until_ms(text: str) -> int | None:
    if text == "start":
        return None
    return SystemClock().now_ms() if text == "now" else _time_ms("until", text)


def _time_ms(option: str, text: str) -> int:
    try:
        when = parse_start(text)
    except ValueError as error:
        raise SettingsError(f"--{option} {text}: {error}") from None
    if when.kind != "time":
        raise SettingsError(f"--{option} {text}: needs a time such as 2026-01-31T00:00:00Z")
    return when.time_ms
