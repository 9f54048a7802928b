"""`monitor demo`: the main job, end to end, on this machine, in a minute."""

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live

from monitor.demo.stage import PARTITIONS, Stage
from monitor.demo.tally import Tally, Watcher, as_line, end_offsets
from monitor.demo.view import View
from monitor.embedded.choice import choose
from monitor.settings import Settings
from monitor.simulate.kafka import send
from monitor.simulate.scenarios import NAMES
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate
from monitor.wire.schema_source import open_source

ALERTS_S = 20.0
"""How long the alerts that the audit log speaks of may take to be read, once everything is decided."""


@click.command()
@click.option("--broker", default="auto", show_default=True, help="auto, kafka, mock, or HOST:PORT of one that runs.")
@click.option("--transactions", "-n", default=240_000, show_default=True, help="How many to simulate.")
@click.option("--rate", type=float, help="Transactions a second; default 4000 to watch, unlimited with --exit.")
@click.option("--seed", default=11, show_default=True, help="Of the simulator.")
@click.option("--corrupt", default=0.001, show_default=True, help="Share of messages spoiled on purpose.")
@click.option("--exit", "leave", is_flag=True, help="Leave when everything is decided.")
@click.option("--json", "as_json", is_flag=True, help="No pictures; the last line is one JSON object.")
@click.option("--picture", type=click.Path(path_type=Path), help="Write the last frame to this SVG file.")
def demo(
    broker: str,
    transactions: int,
    rate: float | None,
    seed: int,
    corrupt: float,
    leave: bool,
    as_json: bool,
    picture: Path | None,
) -> int:
    """Start a broker, simulate payments with fraud among them, and watch the monitor find it."""
    say = Console(stderr=True, highlight=False).print
    spec = SimulationSpec(seed=seed, transactions=transactions, corrupt=corrupt)
    with choose(broker, say) as chosen:
        say(f"broker: {chosen.why}")
        with Stage(chosen) as stage:
            say("starting the worker (its first start on a machine compiles the kernels)")
            stage.start_worker()
            say(f"ready: {stage.url}/metrics {stage.url}/live {stage.url}/ready")
            return _play(
                stage,
                spec,
                rate if rate is not None else (0.0 if leave else 4000.0),
                chosen.why,
                leave,
                as_json,
                picture,
            )


def _play(
    stage: Stage, spec: SimulationSpec, rate: float, broker: str, leave: bool, as_json: bool, picture: Path | None
) -> int:

    tally = Tally()
    watcher = Watcher(stage.settings, PARTITIONS, tally)
    watcher.start()
    source = _Source(stage.settings, spec, rate, tally)
    began = time.monotonic()
    source.start()

    def finished() -> bool:
        stage.check()
        for thread in (source, watcher):
            if thread.failure is not None:
                raise thread.failure
        if not source.done.is_set():
            return False
        source.ends = source.ends or end_offsets(stage.settings, PARTITIONS)
        return all(tally.audited.get(p, -1) >= last for p, last in source.ends.items())

    seconds = _watch(stage, tally, broker, finished, leave, as_json, picture, began)
    deadline = time.monotonic() + ALERTS_S
    while not tally.has_every_alert and time.monotonic() < deadline and watcher.failure is None:
        time.sleep(
            0.05
        )  # the alerts of the last blocks are committed with them; the reader takes them in its own order
    watcher.stop()
    summary = tally.summary(seconds)
    click.echo(as_line(summary))
    return 0 if summary["reconciles"] else 1


class _Source(threading.Thread):
    """Simulates into the broker; the labels are known to the tally before the transactions leave."""

    def __init__(self, settings: Settings, spec: SimulationSpec, rate: float, tally: Tally) -> None:
        super().__init__(name="simulator", daemon=True)
        self._settings, self._spec, self._rate, self._tally = settings, spec, rate, tally
        self.done = threading.Event()
        self.failure: BaseException | None = None
        self.ends: dict[int, int] = {}

    def run(self) -> None:

        try:
            for batch in generate(self._spec):
                fraud = batch.rows(batch.is_fraud)
                names = (NAMES[each] for each in fraud.scenario.tolist())
                self._tally.frauds.update(
                    zip((each.decode() for each in fraud.transaction_id.tolist()), names, strict=True)
                )
            now_ms = time.time_ns() // 1_000_000
            send(self._spec, self._settings, open_source(self._settings), rate=self._rate, until_ms=now_ms)
        except BaseException as error:
            self.failure = error
        finally:
            self.done.set()


def _watch(
    stage: Stage,
    tally: Tally,
    broker: str,
    finished: Callable[[], bool],
    leave: bool,
    as_json: bool,
    picture: Path | None,
    began: float,
) -> float:
    """Draw until everything is decided (or, to watch, until Ctrl-C); the seconds it took."""
    view = View(broker, stage.url, str(stage.log_file))
    console = Console(stderr=as_json, record=picture is not None, width=132 if picture else None, quiet=as_json)
    seconds = 0.0
    with Live(console=console, auto_refresh=False, transient=False) as live:
        try:
            while True:
                over = finished()
                if over and not seconds:
                    seconds = time.monotonic() - began
                status = "everything is decided" + ("" if leave else "; Ctrl-C leaves") if over else "deciding"
                frame = view.frame(tally, stage.metrics(), time.monotonic(), status)
                live.update(frame, refresh=True)
                if over and leave:
                    break
                time.sleep(0.05 if as_json else 0.5)
        except KeyboardInterrupt:
            seconds = seconds or time.monotonic() - began
    if picture is not None:
        drawing = Console(record=True, width=132, file=open("/dev/null", "w"))  # noqa: SIM115
        drawing.print(frame)
        drawing.save_svg(str(picture), title="monitor demo")
    sys.stdout.flush()
    return seconds
