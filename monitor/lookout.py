"""Looking after what may be replaced while the worker runs, and after how well it still fits; the pages tell what was found."""

import asyncio
import logging

import faust
import numpy as np

from monitor.artifacts import Artifacts
from monitor.clock import Clock
from monitor.deciding import DecidingContext
from monitor.lone_call import LoneCall
from monitor.observe.health import Degraded, Health
from monitor.observe.metrics import Metrics
from monitor.partition import Surroundings
from monitor.settings import Settings

log = logging.getLogger(__name__)

ASK_INTERVAL_S = 10.0
"""How often a schema source that was away is asked whether it is there again; its breaker spares it most of these."""

LOOKS_MISSED, LOOK_AT_LEAST_S = 3, 2.0
"""After as many intervals, and at least so many seconds, a look at the artifacts that has not ended is told."""

DRIFT_INTERVAL_S = 10.0
"""How often the drift is worked out."""

STRAIN_INTERVAL_S = 1.0
"""How often it is told whether the clock is wrong and decisions are late."""


def keep_looking(app: faust.App, settings: Settings, deciding: DecidingContext, around: Surroundings) -> None:
    """The timers that take newer models, candidates and snapshots of risk, and tell how far the world has moved from the model."""

    def follow() -> None:
        model = deciding.model
        if model is not None:
            around.drift.follow(model.version, model.seal, model.manifest.get("drift"), model.columns)

    follow()

    @app.timer(DRIFT_INTERVAL_S)  # type: ignore[untyped-decorator]
    async def measure_drift() -> None:
        around.metrics.model.set_drift(around.drift.indexes())

    @app.timer(STRAIN_INTERVAL_S)  # type: ignore[untyped-decorator]
    async def tell_of_strain() -> None:
        note_strain(around)

    @app.timer(ASK_INTERVAL_S)  # type: ignore[untyped-decorator]
    async def ask_for_schemas() -> None:
        if Degraded.SCHEMAS in around.health.degraded:
            await asyncio.get_running_loop().run_in_executor(around.executor, deciding.ask)

    looking = LoneCall(deciding.look, "artifacts")
    patience_s = max(LOOK_AT_LEAST_S, LOOKS_MISSED * settings.artifacts_check_s)

    @app.timer(settings.artifacts_check_s)  # type: ignore[untyped-decorator]
    async def look() -> None:
        try:
            changed = await looking.result(patience_s)
        except TimeoutError:
            note_hanging(
                deciding.artifacts, deciding.context.risk_kinds, patience_s, around.health, around.metrics, around.clock
            )
            return
        if changed:
            model = deciding.model
            candidate = deciding.artifacts.candidate
            taken = {"model": model.version if model else "", "candidate": candidate.version if candidate else ""}
            log.info(
                "artifacts taken",
                extra={**taken, "risk": deciding.versions["risk"], "rules": deciding.versions["rules"]},
            )
            follow()
        note_artifacts(deciding.artifacts, deciding.context.risk_kinds, around.health, around.metrics, around.clock)


def note_degraded(state: Degraded, on: bool, health: Health, metrics: Metrics) -> None:
    """Tell both pages that the worker goes on without a part of itself, or has it back; the log hears of each change once."""
    if on != (state in health.degraded):
        log.warning("degraded" if on else "no longer degraded", extra={"state": state.value})
    health.note_degraded(state, on)
    metrics.set_degraded(state, on)


def note_strain(around: Surroundings) -> None:
    """Tell the pages what the last runs say of this machine's clock, and whether they came too late to be explained."""
    now_ms, monotonic_s = around.clock.now_ms(), around.clock.monotonic_s()
    around.metrics.strain.set_clock_skew(around.clock_watch.skew_ms(now_ms, monotonic_s))
    is_behind = around.clock_watch.correction_ms(now_ms, monotonic_s) > 0
    note_degraded(Degraded.CLOCK, is_behind, around.health, around.metrics)
    note_degraded(Degraded.EXPLANATIONS, around.shedding.is_on(monotonic_s), around.health, around.metrics)


def note_hanging(
    held: Artifacts, risk_kinds: tuple[int, ...], patience_s: float, health: Health, metrics: Metrics, clock: Clock
) -> None:
    """Tell the pages that nobody knows what lies where models, rules and risk are looked for; those that were read go on, and a
    snapshot of risk among them may come into force or run out meanwhile. `risk_kinds` as in `note_artifacts`.
    """
    _note_lacking(held, risk_kinds, health, metrics, clock)
    told = f"models_dir, rules_dir, risk_dir: one of them does not answer for {patience_s:g} s; what is held goes on. Is a mount away?"
    if told not in health.refused:
        log.error("refused", extra={"error": told})
    health.note_refused((*held.refused, told))
    metrics.model.set_artifacts(_effective_ms(held), len(health.refused))


def _effective_ms(held: Artifacts) -> int:
    """From when on the newest snapshot of risk is in force; 0 while there is none."""
    return held.risk.snapshots[-1].effective_ms if held.risk.snapshots else 0


def note_artifacts(
    held: Artifacts, risk_kinds: tuple[int, ...], health: Health, metrics: Metrics, clock: Clock
) -> None:
    """Tell the pages what is being served, what is missing of it, and what was refused. `risk_kinds`: what is looked up in the book of risk."""
    _note_lacking(held, risk_kinds, health, metrics, clock)
    model = held.model
    if model is not None:
        health.note_model(model.version)
        metrics.model.set_version(model.version, model.feature_set)
    if held.rules is not None:
        metrics.rules.set_rules(held.rules.version, (rule.rule_id for rule in held.rules.rules))
    health.note_refused(held.refused)
    metrics.model.set_artifacts(_effective_ms(held), len(held.refused))


def _note_lacking(held: Artifacts, risk_kinds: tuple[int, ...], health: Health, metrics: Metrics, clock: Clock) -> None:
    now = np.array([clock.now_ms()])
    lacking = {
        Degraded.MODEL: held.model is None,
        Degraded.RULES: held.rules is None,
        Degraded.RISK: bool(risk_kinds) and bool((held.risk.in_force(now) < 0).all()),
    }
    for state, on in lacking.items():
        note_degraded(state, on, health, metrics)
