"""Following what people decide by hand while the worker runs; the pages tell what was taken, and what was passed over."""

import asyncio
import logging

import faust

from monitor.controls.policy import controls_policy_of
from monitor.controls.topic import ControlsFollower, not_kept_whole
from monitor.deciding import DecidingContext
from monitor.lone_call import LoneCall
from monitor.lookout import note_degraded
from monitor.observe.health import Degraded, Health
from monitor.observe.metrics import Metrics
from monitor.partition import Surroundings
from monitor.settings import Settings
from monitor.wire.topics import TopicFacts

log = logging.getLogger(__name__)

CLOSE_S = 10.0
"""Twice what the broker is given to answer one question of a look."""


def begin_to_follow(
    settings: Settings, topic: TopicFacts, deciding: DecidingContext, health: Health, metrics: Metrics
) -> ControlsFollower:
    """Take what people have decided by now, before the first run; `topic` is what the broker says of topic_controls. Raises `SettingsError` for signers that cannot be read."""
    controls = ControlsFollower(settings, controls_policy_of(settings), not_whole=not_kept_whole(topic))
    take_controls(controls, deciding)
    note_controls(controls, health, metrics)
    return controls


def keep_following(
    app: faust.App, interval_s: float, controls: ControlsFollower, deciding: DecidingContext, around: Surroundings
) -> None:
    """The timer that takes what people have decided by now for the next run."""

    @app.timer(interval_s)  # type: ignore[untyped-decorator]
    async def follow_controls() -> None:
        if await asyncio.get_running_loop().run_in_executor(around.executor, take_controls, controls, deciding):
            log.info("controls taken", extra={"controls": deciding.versions["controls"]})
        note_controls(controls, around.health, around.metrics)


async def end_following(controls: ControlsFollower) -> None:
    """Let go of the connection without holding up the event loop; a look that is under way and does not end in `CLOSE_S` is left to itself."""
    try:
        await LoneCall(controls.close, "controls-close").result(CLOSE_S)
    except TimeoutError:
        log.warning("controls not closed", extra={"waited_s": CLOSE_S})


def take_controls(controls: ControlsFollower, deciding: DecidingContext) -> bool:
    """Take what people have decided by now for the next run; whether there was anything. Blocks, and never raises on Kafka's account."""
    taken = controls.look()
    if taken:
        deciding.take(controls.controls)
    return taken


def note_controls(controls: ControlsFollower, health: Health, metrics: Metrics) -> None:
    """Tell the pages which controls there are, and what was passed over."""
    book, counts = controls.book, controls.counts
    note_degraded(Degraded.CONTROLS, controls.problem is not None, health, metrics)
    health.note_controls(
        controls.controls.version, counts, (*([controls.problem] if controls.problem else []), *book.refused)
    )
    metrics.controls.set_controls(counts, controls.refusals)
