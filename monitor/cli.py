"""The command `monitor`: which commands there are, and what a failure looks like from outside.

A command's module is imported when it is called: `monitor --help` must not wait for Faust, numba and scikit-learn.
"""

import importlib
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NoReturn

import click

from monitor.errors import MonitorError

INTERRUPTED = 130
"""What a shell reports for Ctrl-C."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One command: its name, the module under `monitor.commands` and the object in it, and its line in the help."""

    name: str
    module: str
    help: str


GROUPS: dict[str, tuple[Entry, ...]] = {
    "Run it": (
        Entry("demo", "demo", "The whole of it in one terminal, on simulated payments."),
        Entry("run", "run", "The worker: reads transactions, writes alerts, until stopped."),
    ),
    "Look at it": (
        Entry("doctor", "doctor", "Is all there that the monitor needs? If not, what to do?"),
        Entry("config", "config", "Settings: show them, check them, or write a file of them."),
        Entry("rails", "rails", "How each payment rail does, and which are walled off."),
        Entry("topics", "topics", "Topics: make those that are missing, or show how they are."),
        Entry("controls", "controls", "Suppress, override, add to lists, wall off, while it runs."),
        Entry("quarantine", "quarantine", "Take one record out that ends the worker at each start."),
    ),
    "Prove it": (
        Entry("audit", "audit", "The audit log: verify it, prove a decision, sign checkpoints."),
        Entry("reconcile", "reconcile", "Is anything lost, twice, or different?"),
    ),
    "Data and models": (
        Entry("simulate", "simulate", "Payments with labelled fraud, to Kafka, Parquet or CSV."),
        Entry("export", "export", "Payments and labels from Kafka, as Parquet to learn from."),
        Entry("labels", "labels", "What was found out about transactions, into the labels topic."),
        Entry("train", "train", "Fit a model and write it where the worker can load it."),
        Entry("backtest", "backtest", "How good models would have been at moments of the past."),
        Entry("evaluate", "evaluate", "How good a model is on payments, alone or against another."),
        Entry("models", "models", "Versions of models: approve, promote, roll back, and why."),
        Entry("shadow", "shadow", "What a candidate thought of what the served model decided."),
        Entry("rules", "rules", "Rules: check, try on the past, put in force."),
        Entry("risk", "risk", "What labels say of merchants and devices, for workers."),
    ),
}


class Commands(click.Group):
    """Commands by name, imported when asked for and listed in groups."""

    entries = {entry.name: entry for entries in GROUPS.values() for entry in entries}  # noqa: RUF012 (click makes instances)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        """All names, in the order of the help."""
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command itself, or None."""
        entry = self.entries.get(cmd_name)
        if entry is None:
            return None
        command = getattr(importlib.import_module(f"monitor.commands.{entry.module}"), entry.name)
        assert isinstance(command, click.Command), f"monitor.commands.{entry.module}.{entry.name} is a click command"
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """One line a command, in groups; no module is imported for it."""
        width = max(map(len, self.entries))
        for title, entries in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(entry.name.ljust(width), entry.help) for entry in entries])


def _version() -> str:
    try:
        return version("fraud-monitor")
    except PackageNotFoundError:
        return "unknown (not installed)"


@click.command(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    epilog="Settings come from MONITOR_* variables over a TOML file over defaults; `monitor config show` lists them.",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Settings file (TOML); else MONITOR_CONFIG names it.",
)
@click.option("--version", "show_version", is_flag=True, help="Print the version and leave.")
@click.pass_context
def monitor(ctx: click.Context, config: Path | None, show_version: bool) -> None:
    """A fraud and anomaly monitor for payments on Kafka."""
    ctx.obj = config
    if show_version:
        click.echo(_version())
        ctx.exit()
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
        ctx.exit()


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit code (docs/exit-codes.md). Commands get the path of --config as `ctx.obj`."""
    sys.exit(_exit_code(arguments))


def _exit_code(arguments: Sequence[str] | None) -> int:
    try:
        result = monitor.main(args=arguments, prog_name="monitor", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except MonitorError as error:
        click.echo(f"monitor: {type(error).__name__}: {error}", err=True)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except Exception:
        # A fault of ours: everything that helps to find it.
        traceback.print_exc()
        return MonitorError.exit_code
    return result if isinstance(result, int) else 0
