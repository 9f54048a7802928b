"""Options that the commands of data scientists share: where payments come from, and how to fit."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import click

from monitor.errors import SettingsError
from monitor.learn.choice import CANDIDATES
from monitor.learn.fit import BESIDE, BLOCK_RATE, DEFAULT_FEATURES, REVIEW_RATE, Recipe
from monitor.learn.moments import moment_ms
from monitor.learn.sources import FileSource, SimulatedSource, Source
from monitor.learn.topic import export
from monitor.settings import load_settings
from monitor.simulate.spec import SimulationSpec
from monitor.state.layout import DAY_MS

Command = TypeVar("Command", bound=Callable[..., Any])

AUTO = "auto"
"""The name of the automatic choice of features."""

SEED_STEP = 1
"""A model of a simulation is measured on that of the next seed too."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Where payments come from, as the command line says: files, the topics of this installation, or the simulator."""

    files: tuple[Path, ...]
    from_topic: bool
    since: str | None
    until: str | None
    transactions: int
    seed: int

    @property
    def is_simulated(self) -> bool:
        """Whether it is neither files nor topics."""
        return not self.files and not self.from_topic

    @contextmanager
    def sources(self, config: Path | None) -> Iterator[list[Source]]:
        """The first to learn from, the others to measure on. What comes from Kafka lies in a temporary file meanwhile."""
        from_ms, to_ms = (
            None if text is None else moment_ms(text, name)
            for text, name in ((self.since, "--since"), (self.until, "--until"))
        )
        if self.from_topic and self.files:
            raise SettingsError("--from-topic, --from: give one of the two")
        if self.from_topic:
            with TemporaryDirectory(prefix="monitor-") as directory:
                path = Path(directory) / "payments.parquet"
                export(load_settings(config), path, from_ms, to_ms)
                yield [FileSource([path])]
        elif self.files:
            yield [FileSource(self.files, from_ms, to_ms)]
        else:
            seeds = (self.seed, self.seed + SEED_STEP)
            yield [SimulatedSource(SimulationSpec(seed=each, transactions=self.transactions)) for each in seeds]

    def words(self) -> str:
        """The options that choose the same, but for the seed, for cards."""
        times = "".join(f" {name} {text}" for name, text in (("--since", self.since), ("--until", self.until)) if text)
        if self.from_topic:
            return "--from-topic" + times
        return (" ".join(f"--from {path}" for path in self.files) or f"--transactions {self.transactions}") + times


def source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--from`, or `--from-topic`, with `--since` and `--until`; or `--transactions`; and `--seed`: the command gets them as `chosen`."""

    @wraps(command)
    def with_chosen(*args: Any, **given: Any) -> Any:
        names = ("files", "from_topic", "since", "until", "transactions", "seed")
        return command(*args, chosen=Chosen(**{name: given.pop(name) for name in names}), **given)

    made: Callable[..., Any] = with_chosen
    for option in (
        click.option("--seed", default=1, show_default=True, help="Of the forest, and of the simulation."),
        click.option(
            "--transactions", "-n", default=200_000, show_default=True, help="Simulated payments, without --from."
        ),
        click.option("--until", help="Payments before this event time only."),
        click.option("--since", help="Payments from this event time on only, such as 2026-11-01."),
        click.option(
            "--from-topic", is_flag=True, help="The payments and labels of this installation's topics (docs/labels.md)."
        ),
        click.option(
            "--from",
            "files",
            multiple=True,
            type=click.Path(path_type=Path),
            help="Parquet or CSV of payments, or a directory of them (docs/data.md); may be repeated.",
        ),
    ):
        made = option(made)
    return made


def recipe_options(command: Command) -> Command:
    """How to fit: `--features`, `--trees`, `--samples`, `--alert-rate` or `--alerts-a-day` or `--false-positive-rate`, `--block-rate`, `--label-delay`."""
    for option in (
        click.option(
            "--label-delay",
            default=7.0,
            show_default=True,
            help="Days after which a payment of which nothing was heard is taken for genuine.",
        ),
        click.option(
            "--block-rate",
            default=BLOCK_RATE,
            show_default=True,
            help="Share of training transactions that reach block.",
        ),
        click.option(
            "--false-positive-rate",
            type=float,
            help="Instead of --alert-rate: share of genuine ones that reach review; labels are needed.",
        ),
        click.option(
            "--alerts-a-day",
            type=float,
            help="Instead of --alert-rate: how many may reach review on a day like the training's.",
        ),
        click.option(
            "--alert-rate",
            default=REVIEW_RATE,
            show_default=True,
            help="Share of training transactions that reach review.",
        ),
        click.option("--samples", default=1024, show_default=True, help="Payments that each tree is grown from."),
        click.option("--trees", default=100, show_default=True, help="Of the forest."),
        click.option(
            "--features",
            help="The forest's: names of the catalogue, comma-separated; auto: those that say something only seldom in these payments. "
            "Default: auto, and for a simulation those of the shipped model.",
        ),
    ):
        command = option(command)
    return command


def beside_option(command: Command) -> Command:
    """`--beside`."""
    return click.option(
        "--beside",
        multiple=True,
        type=click.Choice(BESIDE),
        help="What stands beside the forest, made of labels: the risk of merchants and devices, or boosted trees; may be repeated.",
    )(command)


def recipe_of(chosen: Chosen, given: dict[str, Any], beside: tuple[str, ...] = ()) -> Recipe:
    """The recipe of the options of `recipe_options`, for what was chosen to learn from. Raises `DatasetError`."""
    usual = ",".join(DEFAULT_FEATURES) if chosen.is_simulated else AUTO
    features: str = given["features"] or usual
    return Recipe(
        features=CANDIDATES if features == AUTO else tuple(name.strip() for name in features.split(",")),
        automatic=features == AUTO,
        trees=given["trees"],
        samples=given["samples"],
        seed=chosen.seed,
        review_rate=given["alert_rate"],
        block_rate=given["block_rate"],
        alerts_a_day=given["alerts_a_day"],
        false_positive_rate=given["false_positive_rate"],
        beside=beside,
        label_delay_ms=round(given["label_delay"] * DAY_MS),
    )


def recipe_words(recipe: Recipe) -> str:
    """The options that give `recipe`, but for the seed, for cards."""
    words = [f"--features {AUTO if recipe.automatic else ','.join(recipe.features)}"]
    if (recipe.trees, recipe.samples) != (100, 1024):
        words.append(f"--trees {recipe.trees} --samples {recipe.samples}")
    words += [f"--beside {each}" for each in recipe.beside]
    if recipe.beside:
        words.append(f"--label-delay {recipe.label_delay_ms / DAY_MS:g}")
    if recipe.alerts_a_day is not None:
        words.append(f"--alerts-a-day {recipe.alerts_a_day:g}")
    elif recipe.false_positive_rate is not None:
        words.append(f"--false-positive-rate {recipe.false_positive_rate:g}")
    else:
        words.append(f"--alert-rate {recipe.review_rate}")
    return " ".join([*words, f"--block-rate {recipe.block_rate}"])
