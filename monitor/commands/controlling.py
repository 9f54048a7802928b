"""`suppress`, `override`, `list-add`, `list-remove`, `rail`, `withdraw`: what a person can decide, written to the topic or into a file for others to sign."""

import getpass
import re
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from monitor.clock import SystemClock
from monitor.controls.book import ControlBook
from monitor.controls.desk import Desk
from monitor.controls.policy import controls_policy_of
from monitor.controls.proposal import write_proposal
from monitor.controls.record import STATES, Control, Signed
from monitor.controls.topic import controls_records, write_controls
from monitor.controls.wording import said, span_text
from monitor.decide.policy import OUTCOMES
from monitor.errors import ArtifactError, ControlsError, RulesError
from monitor.learn.moments import moment_ms
from monitor.rules.ruleset import list_uses
from monitor.rules.stored import load_rules
from monitor.rules.syntax import unfit_word
from monitor.settings import Settings, load_settings
from monitor.wire.columns import CHANNELS

READABLE = click.Path(path_type=Path, dir_okay=False, exists=True)
_LENGTH = re.compile(r"(\d+(?:\.\d+)?)(m|h|d)")
_UNIT_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}

Function = TypeVar("Function", bound=Callable[..., Any])
Decision = Callable[..., list[Control]]


def add_controls(group: click.Group, *, proposing: bool) -> None:
    """Give `group` the commands; `proposing`: each writes a file and nothing else."""
    _add_timed(group, proposing)
    _add_lasting(group, proposing)


def book_of(settings: Settings) -> ControlBook:
    """The controls there are in the topic. Raises `TopicError`, `BrokerError` and `SettingsError`."""
    book = ControlBook(controls_policy_of(settings))
    for record in controls_records(settings):
        book.add(*record)
    return book


def submitted(settings: Settings, book: ControlBook, controls: Sequence[Signed]) -> None:
    """Write them behind those of `book`, and say where they lie. Raises `ControlsError` before anything is written if workers of these settings would
    pass one over, and afterwards if they do: somebody else may have written meanwhile.
    """
    for each in controls:
        why = book.add(book.last_offset + 1, each.control.key.encode(), each.value(1))
        if why is not None:
            raise ControlsError(f"{said(each.control)}: not written: {why}")
    offsets = write_controls(settings, controls)
    refused = _refusals(settings)
    for each, offset in zip(controls, offsets, strict=True):
        control = each.control
        if offset in refused:
            continue
        click.echo(
            f"{control.control_id} {said(control)}, {span_text(control)}: {settings.topic_controls} offset {offset}"
        )
    passed_over = [refused[offset] for offset in offsets if offset in refused]
    if passed_over:
        raise ControlsError(f"{len(passed_over)} of {len(controls)} written and passed over: {'; '.join(passed_over)}")


def _refusals(settings: Settings) -> dict[int, str]:
    """Why which records are passed over, by offset."""
    book = ControlBook(controls_policy_of(settings))
    told = {record[0]: book.add(*record) for record in controls_records(settings)}
    return {offset: why for offset, why in told.items() if why is not None}


def _command(group: click.Group, name: str, proposing: bool) -> Callable[[Decision], click.Command]:
    """The decision as a command: it is given a `Desk` and its own options, and returns controls."""

    def made(decide: Decision) -> click.Command:
        @click.option("--because", "reason", required=True, help="Why: a sentence, for those who come after you.")
        @click.option("--author", default=getpass.getuser, show_default="you", help="Whose decision it is.")
        @click.pass_obj
        @wraps(decide)
        def run(config: Path | None, /, reason: str, author: str, out: Path | None = None, **options: Any) -> None:
            settings = load_settings(config)
            book = book_of(settings)
            desk = Desk(book, SystemClock().now_ms(), author, reason)
            controls = [Signed(each) for each in decide(desk, settings, **options)]
            if out is None:
                submitted(settings, book, controls)
                return
            write_proposal(out, controls)
            click.echo(
                f"{out}: {'; '.join(said(each.control) for each in controls)}; monitor controls sign, then submit"
            )

        if proposing:
            kind = click.Path(path_type=Path, dir_okay=False)
            run = click.option("-o", "out", required=True, type=kind, help="The file to write.")(run)
        return group.command(name)(run)

    return made


def _times(function: Function) -> Function:
    for option in (
        click.option(
            "--from", "since", metavar="TIME", help="For payments from this event time on; now, if not given."
        ),
        click.option("--until", metavar="TIME", help="For payments before this event time, such as 2026-11-22T18:00Z."),
        click.option("--for", "length", metavar="LENGTH", help="Or for so long, such as 90m, 2h, 3d."),
    ):
        function = option(function)
    return function


def _span(desk: Desk, since: str | None, until: str | None, length: str | None) -> tuple[int, int]:
    """From when until when, in ms. Raises `click.UsageError` for what does not say when it ends."""
    from_ms = desk.now_ms if since is None else moment_ms(since, "--from")
    if (until is None) is (length is None):
        raise click.UsageError("say when it ends: --for 2h, or --until 2026-11-22T18:00Z")
    if until is not None:
        return from_ms, moment_ms(until, "--until")
    found = _LENGTH.fullmatch(length or "")
    if found is None:
        raise click.UsageError(f"--for {length!r}: no length of time; write 90m, 2h or 3d")
    return from_ms, from_ms + round(float(found[1]) * _UNIT_MS[found[2]])


def _add_timed(group: click.Group, proposing: bool) -> None:
    @_command(group, "suppress", proposing)
    @click.option("--account", "account_id", help="Of this account.")
    @click.option("--rule", "rule_id", help="That this rule asks for; the model is the rule `model`.")
    @click.option("--reason-code", help="That are asked for with this reason code.")
    @click.option("--blocks", is_flag=True, help="Blocks too, but those that cannot be overridden.")
    @_times
    def suppress(
        desk: Desk,
        _: Settings,
        since: str | None,
        until: str | None,
        length: str | None,
        blocks: bool,
        **about: str | None,
    ) -> list[Control]:
        """Withhold alerts that all of --account, --rule and --reason-code fit. Decisions stay what they are."""
        return desk.suppress(about, *_span(desk, since, until, length), blocks=blocks)

    @_command(group, "override", proposing)
    @click.option("--account", "account_id", required=True, help="The account.")
    @click.option("--outcome", required=True, type=click.Choice(OUTCOMES), help="What its payments get.")
    @_times
    def override(
        desk: Desk, _: Settings, account_id: str, outcome: str, since: str | None, until: str | None, length: str | None
    ) -> list[Control]:
        """Give an account's payments one outcome, whatever model and rules ask for. It takes the place of one before."""
        return desk.override(account_id, outcome, *_span(desk, since, until, length))


def _add_lasting(group: click.Group, proposing: bool) -> None:
    @_command(group, "list-add", proposing)
    @click.argument("name")
    @click.argument("words", nargs=-1, required=True)
    def list_add(desk: Desk, settings: Settings, name: str, words: tuple[str, ...]) -> list[Control]:
        """Add words to a list of the rules in force, until they are removed."""
        _check_words(settings, name, words)
        return desk.add_words(name, words)

    @_command(group, "list-remove", proposing)
    @click.argument("name")
    @click.argument("words", nargs=-1, required=True)
    def list_remove(desk: Desk, _: Settings, name: str, words: tuple[str, ...]) -> list[Control]:
        """Take words out of a list that were added here; those of the file of rules stay."""
        return desk.remove_words(name, words)

    @_command(group, "rail", proposing)
    @click.argument("name", type=click.Choice(CHANNELS))
    @click.argument("state", type=click.Choice(STATES))
    def rail(desk: Desk, _: Settings, name: str, state: str) -> list[Control]:
        """Wall off a payment rail, keep it open, or leave it to the worker (auto)."""
        return desk.set_rail(name, state)

    @_command(group, "withdraw", proposing)
    @click.argument("control_id", metavar="ID")
    def withdraw(desk: Desk, _: Settings, control_id: str) -> list[Control]:
        """End a control from now on; ID, or the beginning of it, as monitor controls list says."""
        return desk.withdraw(control_id)


def _check_words(settings: Settings, name: str, words: Sequence[str]) -> None:
    """Raise `ControlsError` for words that no payment can have where the rules in force, if they are here, look them up."""
    try:
        uses = list_uses(load_rules(settings.rules_dir))
    except (ArtifactError, RulesError) as error:
        click.echo(f"not held against the rules in force: {error}", err=True)
        return
    if name not in uses:
        known = ", ".join(sorted(uses)) or "none"
        click.echo(f"list {name}: no rule in force looks it up (they look up: {known})", err=True)
    for unfit in (unfit_word(field, word) for field in sorted(uses.get(name, ())) for word in words):
        if unfit:
            raise ControlsError(f"list {name}: {unfit}; correct the word")
