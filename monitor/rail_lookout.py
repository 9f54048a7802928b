"""Looking after payment rails once a second: time passes for them, and the pages, the metrics and the log tell how each stands."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import faust

from monitor.clock import Clock
from monitor.decide.policy import OUTCOMES
from monitor.lookout import note_degraded
from monitor.observe.health import Degraded
from monitor.observe.rail_metrics import RailFigures
from monitor.partition import Surroundings
from monitor.rails.breaker import State
from monitor.rails.limits import RailLimits
from monitor.rails.watch import RailReport, RailWatch
from monitor.settings import Settings

log = logging.getLogger(__name__)

RAILS_INTERVAL_S = 1.0

_STATES = tuple(state.value for state in State)
_LOUD = (State.WALLED, State.DARK)


def rail_limits(settings: Settings) -> RailLimits:
    """As the settings have them."""
    return RailLimits(
        outcome=OUTCOMES.index(settings.rail_outcome),
        window_s=settings.rail_window_s,
        reject_share=settings.rail_reject_share,
        least_records=settings.rail_least_records,
        lag_s=settings.rail_lag_s,
        retry_s=settings.rail_retry_s,
        silence_s=settings.rail_silence_s,
        reject_stop_records=settings.reject_stop_records,
    )


def keep_watching_rails(app: faust.App, around: Surroundings, by_hand: Callable[[], Mapping[str, str]]) -> None:
    """The timer; the pages are told once right away, so that every series is there from the start. `by_hand`: what people say of rails now."""
    tell_rails(around, by_hand())

    @app.timer(RAILS_INTERVAL_S)  # type: ignore[untyped-decorator]
    async def watch_rails() -> None:
        tell_rails(around, by_hand())


def tell_rails(around: Surroundings, by_hand: Mapping[str, str]) -> None:
    """Let time pass for the rails, and tell how each stands; a change is logged once."""
    rails, clock = around.rails, around.clock
    rails.judge(clock.monotonic_s(), by_hand)
    for change in rails.take_changes():
        level = logging.WARNING if change.after in _LOUD else logging.INFO
        said = {"rail": change.rail, "state": change.after.value, "before": change.before.value, "why": change.why}
        log.log(level, "rail", extra=said)
    reports = rails.reports(clock.monotonic_s())
    around.health.note_rails(page(rails, reports, clock))
    note_degraded(Degraded.RAIL, bool(rails.walled.channels), around.health, around.metrics)
    around.metrics.rails.show(map(_figures, reports), _STATES)


def page(rails: RailWatch, reports: list[RailReport], clock: Clock) -> dict[str, Any]:
    """What /rails answers, as JSON values."""
    now_s, now_ms = clock.monotonic_s(), clock.now_ms()
    return {
        "walled": rails.walled.name,
        "outcome": OUTCOMES[rails.limits.outcome],
        "window_s": rails.limits.window_s,
        "rails": [each.as_json(now_s, now_ms) for each in reports],
    }


def _figures(report: RailReport) -> RailFigures:
    seen = report.seen
    return RailFigures(
        report.rail,
        report.standing.state.value,
        report.admitted,
        report.rejected,
        seen.reject_share,
        seen.lag_s,
        report.silence_s,
    )
