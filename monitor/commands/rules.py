"""`monitor rules`: check rules, explain them, try them on the past, compare two, and put one in force (docs/rules.md)."""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from monitor.artifacts import rules_registry
from monitor.commands.elsewhere import add_mirroring
from monitor.commands.learning import Chosen, source_options
from monitor.commands.progress import watched
from monitor.commands.promoting import add_promotion
from monitor.errors import ArtifactError, RulesError
from monitor.learn.alert_budget import Budget
from monitor.learn.rule_trial import Trial, trial
from monitor.money.exchange import load_exchange
from monitor.registry.approvals import approvers
from monitor.risk.snapshots import load_book
from monitor.rules.cases import Outcome, run_cases
from monitor.rules.names import NAMES
from monitor.rules.rule_file import read_rules
from monitor.rules.ruleset import Rule, RuleSet, rule_names
from monitor.rules.stored import RULES, TESTS, decoded, load_rules, publish, read_file, tests_of
from monitor.scoring.artifact import load_model
from monitor.settings import load_settings
from monitor.versions import CURRENT, current_version

FILE = click.Path(path_type=Path, dir_okay=False)
ALL_SNAPSHOTS = 1 << 20


@click.group()
def rules() -> None:
    """Rules that people write: check, explain, try on the past, compare, put in force."""


@rules.command()
@click.argument("path", type=FILE)
def check(path: Path) -> int:
    """Read a file of rules and run the tests beside it. Exit code 1 when a test fails; what is malformed is named with line and column."""
    found = _read(path)
    states = [rule.state.name.lower() for rule in found.rules]
    told = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states)) or "no rules"
    click.echo(f"{path}: version {found.version}: {told}")
    outcomes = _outcomes(path, found)
    for each in outcomes:
        if not each.passed:
            click.secho(f"{each.rule_id}: {each.name}: expected {each.expected}, found {each.found}", fg="red")
    untested = sorted({rule.rule_id for rule in found.rules} - {each.rule_id for each in outcomes})
    click.echo(
        f"{len(outcomes)} tests, {sum(not each.passed for each in outcomes)} failed"
        + (f"; without a test: {', '.join(untested)}" if untested else "")
    )
    return 0 if all(each.passed for each in outcomes) else 1


@rules.command()
@click.argument("path", type=FILE)
@click.argument("rule_ids", nargs=-1)
def explain(path: Path, rule_ids: tuple[str, ...]) -> None:
    """Each rule in words: when it holds, what it does then, and what the names in it mean."""
    found = _read(path)
    unknown = sorted(set(rule_ids) - {rule.rule_id for rule in found.rules})
    if unknown:
        raise RulesError(f"{path}: {', '.join(unknown)}: no such rule")
    for rule in found.rules:
        if not rule_ids or rule.rule_id in rule_ids:
            click.echo("\n".join(_explained(rule)) + "\n")
    click.echo("Of all that holds: a block that is not overridable before an allow, before a block, before a review.")


@rules.command()
@source_options
@click.argument("path", type=FILE)
@click.option("--json", "figures", type=FILE, help="Write all figures, with what held together.")
@click.option(
    "--alerts-a-day",
    type=click.FloatRange(min=0, min_open=True),
    help="Also tell the review threshold with which the model and these rules together keep to so many.",
)
@click.pass_obj
def test(config: Path | None, /, chosen: Chosen, path: Path, figures: Path | None, alerts_a_day: float | None) -> None:
    """What the rules would have done with payments of the past, beside the model that is served: hits, precision and recall where labels are, alerts a day."""
    console = Console(highlight=False)
    (found,) = _tried(config, chosen, [_read(path)], console, alerts_a_day)
    _show_trial(found, console)
    if figures is not None:
        figures.write_text(json.dumps(found.as_json(), indent=1) + "\n", encoding="utf-8")


@rules.command()
@source_options
@click.argument("before", type=FILE)
@click.argument("after", type=FILE)
@click.pass_obj
def diff(config: Path | None, /, chosen: Chosen, before: Path, after: Path) -> None:
    """What differs between two files of rules, in what they say and in what they would have done with payments of the past."""
    console = Console(highlight=False)
    old, new = _read(before), _read(after)
    console.print("\n".join(_differences(old, new)) or "the same rules")
    trials = _tried(config, chosen, [old, new], console)
    table = Table("", old.version, new.version, box=None, pad_edge=False)
    for name in trials[0].outcomes:
        table.add_row(name, *(f"{each.outcomes[name]:,}" for each in trials))
    table.add_row("fraud not approved", *(f"{each.fraud_alerted:,} of {each.fraud:,}" for each in trials))
    hits = [{each.rule_id: each.hits for each in found.rules} for found in trials]
    for rule_id in dict.fromkeys([*hits[0], *hits[1]]):
        table.add_row(rule_id, *(f"{each[rule_id]:,}" if rule_id in each else "-" for each in hits))
    console.print(table)


@rules.command("publish")
@click.argument("path", type=FILE)
@click.pass_obj
def publish_file(config: Path | None, path: Path) -> None:
    """Make a file of rules, with the tests beside it, a version that never changes. It is not in force yet: monitor rules promote."""
    settings = load_settings(config)
    found = publish(settings.rules_dir, path)
    click.echo(f"{settings.rules_dir / found.version}: {len(found.rules)} rules; monitor rules approve, then promote")


@rules.command("list")
@click.pass_obj
def list_versions(config: Path | None) -> None:
    """All versions, which one is in force, and how many have approved each."""
    rules_dir = load_settings(config).rules_dir
    served = current_version(rules_dir) if (rules_dir / CURRENT).exists() else ""
    table = Table("version", "", "rules", "active", "tests", "approvals", box=None, pad_edge=False)
    for path in sorted(rules_dir.glob(f"[!.]*/{RULES}")):
        version = path.parent.name
        try:
            found = load_rules(rules_dir, version)
        except (ArtifactError, RulesError) as error:
            table.add_row(version, "refused", str(error))
            continue
        active = sum(rule.state.name == "ACTIVE" for rule in found.rules)
        tests = "yes" if (path.parent / TESTS).exists() else "none"
        mark = "in force" if version == served else ""
        table.add_row(version, mark, str(len(found.rules)), str(active), tests, str(len(approvers(rules_dir, version))))
    Console(highlight=False).print(table)


def _read(path: Path) -> RuleSet:
    return read_rules(decoded(read_file(path), path), path)


def _outcomes(path: Path, found: RuleSet) -> list[Outcome]:
    tests = tests_of(path)
    return run_cases(decoded(read_file(tests), tests), tests, found) if tests.exists() else []


def _tried(
    config: Path | None,
    chosen: Chosen,
    found: Sequence[RuleSet],
    console: Console,
    alerts_a_day: float | None = None,
) -> list[Trial]:
    """Each set over the same payments, beside the model and the snapshots of risk that are here."""
    settings = load_settings(config)
    try:
        model = load_model(settings.models_dir)
    except ArtifactError as error:
        console.print(f"without a model: {error}")
        model = None
    book, exchange = load_book(settings.risk_dir, latest=ALL_SNAPSHOTS), load_exchange(settings.exchange_rates)
    with chosen.sources(config) as (source, *_), watched(console, [source] * len(found)) as told:
        return [
            trial(each, source.slices(), exchange, model, book, partial(told, each.version), alerts_a_day)
            for each in found
        ]


def _show_trial(found: Trial, console: Console) -> None:
    table = Table("rule", "state", "hits", "a day", "precision", "recall", "alone", "with the model", "not applicable", box=None, pad_edge=False)  # fmt: skip
    for each in found.rules:
        shares = ("-" if share is None else f"{share:.1%}" for share in (each.precision, each.recall))
        numbers = (f"{number:,}" for number in (each.alone, each.also_model, each.not_applicable))
        table.add_row(each.rule_id, each.state, f"{each.hits:,}", f"{each.a_day:,.1f}", *shares, *numbers)
    console.print(table)
    done = ", ".join(f"{name} {count:,}" for name, count in found.outcomes.items())
    alone = ", ".join(f"{name} {count:,}" for name, count in found.model_alone.items())
    console.print(f"{found.transactions:,} payments in {found.days:,.1f} days: {done}; without rules: {alone}")
    if found.fraud:
        console.print(f"of {found.fraud:,} frauds {found.fraud_alerted:,} are not approved")
    if found.budget is not None:
        console.print("\n".join(budget_lines(found.budget)), soft_wrap=True)


def budget_lines(found: Budget) -> Iterator[str]:
    """What it takes to keep to the alerts a day, what it costs, and how to serve it."""
    if found.review_threshold is None:
        yield f"{found.alerts_a_day:g} alerts a day: no threshold keeps it; the rules alone alert {found.rules_a_day:,.1f}"
        return
    yield (
        f"{found.alerts_a_day:g} alerts a day: review from {found.review_threshold:.6f} on (now {found.present_threshold:.6f}); "
        f"{found.rules_a_day:,.1f} by rules and {found.model_a_day:,.1f} by the model alone (now {found.present_model_a_day:,.1f})"
    )
    if found.recall is not None and found.present_recall is not None:
        yield f"recall {found.recall:.1%} (now {found.present_recall:.1%})"
    block = f" --block {found.review_threshold!r}" if found.review_threshold > found.block_threshold else ""
    yield f"to serve it: monitor models thresholds {found.model} --review {found.review_threshold!r}{block} --as NEW_VERSION"


def _explained(rule: Rule) -> Iterator[str]:
    yield f"{rule.rule_id} (version {rule.version}, {rule.state.name.lower()}): {rule.description}"
    yield f"  holds when {rule.when_text or 'its measure reaches a band'}"
    if rule.history:
        yield f"  for accounts with at least {rule.history} payments before; below that it has insufficient history"
    for band in rule.bands:
        limit = "" if band.limit_text is None else f"{rule.measure_text} from {band.limit_text}: "
        final = ", which no allow lifts" if band.level.name == "FINAL_BLOCK" else ""
        yield f"  {limit}{band.action}{final}, reason {band.reason_code}: {band.text}"
    for name in dict.fromkeys(rule_names(rule)):
        unit = f" [{NAMES[name].unit}]" if NAMES[name].unit else ""
        yield f"    {name}{unit}: {NAMES[name].meaning}"


def _differences(old: RuleSet, new: RuleSet) -> Iterator[str]:
    before, after = ({rule.rule_id: rule for rule in each.rules} for each in (old, new))
    for rule_id in before.keys() - after.keys():
        yield f"- {rule_id}: gone"
    for rule_id, rule in after.items():
        if rule_id not in before:
            yield f"+ {rule_id}: new"
        elif rule != before[rule_id]:
            changed = [
                field.name
                for field in dataclasses.fields(Rule)
                if getattr(rule, field.name) != getattr(before[rule_id], field.name)
            ]
            same = "; its version is the same: give it another" if rule.version == before[rule_id].version else ""
            yield f"~ {rule_id}: {', '.join(changed)} changed{same}"


add_promotion(rules, rules_registry)
add_mirroring(rules, lambda settings: settings.rules_dir)
