"""The stream: slices of time one after the other, each made whole, so that memory does not grow with the number of records."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from monitor.simulate.batch import Batch, written_out
from monitor.simulate.draws import Draws, lognormal, scaled
from monitor.simulate.genuine import payments, refunds
from monitor.simulate.places import PLACES
from monitor.simulate.rhythm import DAY_MS, RHYTHM_WEIGHTS, hourly_levels, shares_before
from monitor.simulate.rows import Rows, blank, by_time, joined
from monitor.simulate.scenarios import BY_NAME
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.standing import due, standing_orders
from monitor.simulate.world import FRAUD_STREAM, SLICE_STREAM, STANDING_STREAM, World, build_world

SLICE_ROWS = 32_768
"""Rows a slice aims at; the busiest hold about three times as many. A slice is never longer than a day."""

_REFUND_SHARE = 0.012
_RETRY_MS = (1_000, 20_000)
_LATE_MEDIAN_MS = 10 * 60_000


def generate(spec: SimulationSpec) -> Iterator[Batch]:
    """The transactions of `spec`, exactly as many as it says, in batches in order of arrival.

    Event times never go back unless `spec.late` holds some records up; equal specs give equal bytes on every machine. Memory:
    about 90 bytes an account, 75 a fraudulent record, and one slice.
    """
    spec_world = build_world(spec.seed, spec.account_count, spec.start_ms, spec.end_ms)
    for rows in _slices(spec, spec_world):
        if rows.shape[0]:
            yield written_out(rows, spec.seed)


def planned(spec: SimulationSpec, world: World) -> Rows:
    """All rows of the enabled scenarios, fraudulent ones and their genuine context, by event time."""
    parts = [
        BY_NAME[name].plan(world, Draws(spec.seed, FRAUD_STREAM, BY_NAME[name].code), BY_NAME[name].code, budget)
        for name, budget in spec.fraud_budget
        if budget > 0
    ]
    return by_time(joined(parts))


@dataclass(slots=True)
class _Progress:
    """What one slice leaves to the next."""

    made: int = 0  # rows made so far
    numbered: int = 0  # transaction numbers given out so far
    refunds: Rows = field(default_factory=lambda: blank(0))  # not yet due, by event time
    held: Rows = field(default_factory=lambda: blank(0))  # late events not yet arrived


def _slices(spec: SimulationSpec, world: World) -> Iterator[Rows]:
    plan = planned(spec, world)
    orders = standing_orders(world, Draws(spec.seed, STANDING_STREAM), spec.transactions)
    edges = _edges(spec)
    levels = hourly_levels(spec.start_ms, spec.end_ms, _activity(world))
    shares = shares_before(edges, levels, spec.start_ms)
    starts = np.searchsorted(plan["time"], np.array(edges))
    progress = _Progress()
    for k in range(len(edges) - 1):
        draws = Draws(spec.seed, SLICE_STREAM, k)
        from_ms, to_ms = edges[k], edges[k + 1]
        room = spec.transactions * shares[k + 1][0] // shares[k + 1][1] - progress.made
        known = _foreseen(progress, plan[starts[k] : starts[k + 1]], due(world, orders, from_ms, to_ms), to_ms)
        if k == len(edges) - 2 and known.shape[0] > room:
            known = known[:room]
        rows = _slice(spec, world, draws, known, from_ms, to_ms, max(room - known.shape[0], 0), progress)
        yield _arrived(progress, rows, to_ms, last=k == len(edges) - 2)


def _edges(spec: SimulationSpec) -> list[int]:
    length = spec.duration_ms
    n = max(-(-spec.transactions // SLICE_ROWS), -(-length // DAY_MS))
    return [spec.start_ms + length * k // n for k in range(n + 1)]


def _activity(world: World) -> NDArray[np.int64]:
    places = len(PLACES)
    group = world.rhythm[world.slots].astype(np.int64) * places + world.home[world.slots]
    return (
        np.bincount(group, minlength=len(RHYTHM_WEIGHTS) * places).reshape(len(RHYTHM_WEIGHTS), places).astype(np.int64)
    )


def _foreseen(progress: _Progress, plan: Rows, standing: Rows, to_ms: int) -> Rows:
    """What happens in this slice whatever else does; the plan of frauds first, to be kept when there is no room."""
    cut = int(np.searchsorted(progress.refunds["time"], to_ms))
    back, progress.refunds = progress.refunds[:cut], progress.refunds[cut:]
    return joined([plan, back, standing])


def _slice(
    spec: SimulationSpec,
    world: World,
    draws: Draws,
    known: Rows,
    from_ms: int,
    to_ms: int,
    room: int,
    progress: _Progress,
) -> Rows:
    """All rows of one slice by event time: what is known, everyday payments for the rest of the room, and retries."""
    retries = int(np.count_nonzero(draws.chance(spec.duplicates, room + known.shape[0])))
    retries = min(retries, room // 2)
    rows = joined([known, payments(world, draws, from_ms, to_ms, room - retries)])
    n = rows.shape[0]
    rows["number"] = progress.numbered + np.arange(n)
    rows["original"] = np.where(rows["keyed"] == 1, rows["number"], -1)
    again = _retried(draws, rows, retries, to_ms, progress.numbered + n)
    progress.numbered += n + retries
    progress.made += n + retries
    progress.refunds = by_time(joined([progress.refunds, refunds(draws, rows, _REFUND_SHARE)]))
    rows = by_time(joined([rows, again]))
    rows["arrival"] = rows["time"]
    late = np.flatnonzero(draws.chance(spec.late, rows.shape[0]))
    rows["arrival"][late] += scaled(
        np.full(late.shape[0], _LATE_MEDIAN_MS, np.int64), draws.pick(lognormal(100), late.shape[0])
    )
    return rows


def _retried(draws: Draws, rows: Rows, n: int, to_ms: int, next_number: int) -> Rows:
    """`n` genuine rows once more, 1 to 20 s later: under a new transaction id and the same key, or, without a key, the same id."""
    genuine = np.flatnonzero(rows["scenario"] == 0)
    chosen = genuine[draws.below(genuine.shape[0], n)] if genuine.shape[0] else np.empty(0, np.int64)
    again = rows[chosen]
    again["time"] = np.minimum(again["time"] + draws.between(*_RETRY_MS, chosen.shape[0]), to_ms - 1)
    again["number"] = np.where(again["keyed"] == 1, next_number + np.arange(chosen.shape[0]), again["number"])
    return again


def _arrived(progress: _Progress, rows: Rows, to_ms: int, *, last: bool) -> Rows:
    """The rows that are written before `to_ms`, in order of arrival; the others are held. The last slice holds none."""
    if progress.held.shape[0]:
        rows = joined([progress.held, rows])
    if last:
        rows["arrival"] = np.minimum(rows["arrival"], to_ms)
    later = rows["arrival"] >= to_ms if not last else np.zeros(rows.shape[0], np.bool_)
    progress.held = rows[later]
    now = rows[~later]
    return now[np.argsort(now["arrival"], kind="stable")]
