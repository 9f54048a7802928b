"""The faults. Each is injected and withdrawn by its function; whoever calls it waits until the stream is decided again."""

import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from monitor.failpoints import POINTS
from tests.chaos.crew import Lane
from tests.chaos.proxy import DOWN, UP
from tests.chaos.stage import Stage, TooLong, await_until
from tests.installation import Worker

SESSION_S = 6.0
"""The session timeout of the workers."""

TAKEN_OVER_S = 12.0
READY_S = 120.0
ARMED_S = 45.0
"""How long an armed worker may take to reach its failpoint before it is killed where it is."""

TRIES = 3
"""Workers armed for one fault: the other lane's fault may make one leave before it gets there."""

REACHED_AT_START = ("fenced", "tails_read", "taken", "state_loaded")
REACHED_ONCE = (*REACHED_AT_START, "revoked")

LaneFault = Callable[[Stage, Lane, random.Random], float]
"""Injects and withdraws; the time (monotonic) at which it struck."""

StageFault = Callable[[Stage, random.Random], float]


def settle(lane: Lane) -> None:
    """Wait until the lane's worker serves; one that is armed may never come so far."""
    with suppress(TooLong):
        await_until(lambda: lane.is_ready or bool(lane.armed), READY_S, f"{lane.name} ready", 0.2)


def kill_at_random(_stage: Stage, lane: Lane, chance: random.Random) -> float:
    """kill -9 of a worker at some moment of its life, its start included."""
    if chance.random() < 0.8:
        settle(lane)
    time.sleep(chance.uniform(0.0, 2.5))
    with lane.lock:
        struck, worker = lane.strike(), lane.worker
        lane.signal(signal.SIGKILL)
    await_until(lambda: lane.worker is not worker, READY_S, f"{lane.name} killed")
    return struck


def arming(point: str, action: str, chance: random.Random) -> str:
    """What arms a worker for this point: early on where it is passed once a partition, anywhere in its first runs else."""
    count = chance.randrange(1, 3) if point in REACHED_ONCE else chance.randrange(1, 60)
    return f"{point}:{action}:{count}"


def kill_at(point: str) -> LaneFault:
    """kill -9 of a worker by itself, at a failpoint."""

    def kill(stage: Stage, lane: Lane, chance: random.Random) -> float:
        for _ in range(TRIES):
            worker = lane.arm(arming(point, "kill", chance))
            if point == "revoked":
                _ask_to_leave(lane, worker)
            try:
                await_until(lambda worker=worker: lane.worker is not worker, ARMED_S, f"{lane.name} reaches {point}")
            except TooLong:
                lane.signal(signal.SIGKILL)
                break
            if lane.ended[-1].code == -signal.SIGKILL:
                return time.monotonic()
            # It left by itself, for what the other lane's fault did to it.
        stage.missed.append(point)
        return time.monotonic()

    return kill


def _ask_to_leave(lane: Lane, worker: Worker) -> None:
    """SIGTERM for this worker once it serves; not if it is gone before, as its successor is not armed."""
    with suppress(TooLong):
        await_until(lambda: lane.is_ready or lane.worker is not worker, READY_S, f"{lane.name} ready", 0.2)
    with lane.lock:
        if lane.worker is worker and lane.is_ready:
            lane.signal(signal.SIGTERM)


def freeze(stage: Stage, lane: Lane, chance: random.Random) -> float:
    """SIGSTOP until the others have taken over, then SIGCONT: a zombie."""
    settle(lane)
    time.sleep(chance.uniform(0.0, 1.0))
    with lane.lock:
        struck, worker = lane.strike(), lane.worker
        lane.signal(signal.SIGSTOP)
    if worker is not None:
        _wake_later(stage, lane, worker, chance)
    return struck


def _wake_later(stage: Stage, lane: Lane, worker: Worker, chance: random.Random) -> None:
    """SIGCONT beyond the session, when others have gone on in its place; not for ever, as the others may be frozen too.

    Over when the worker knows: it has left, or it has been given its partitions anew. Until then it is this fault's.
    """
    struck, before = time.monotonic(), lane.generations(worker)
    time.sleep(SESSION_S + chance.uniform(1.0, 3.0))
    with suppress(TooLong):
        await_until(lambda: stage.goes_on_after(struck), TAKEN_OVER_S, "others take over")
    lane.signal(signal.SIGCONT)
    await_until(
        lambda: lane.worker is not worker or lane.generations(worker) > before,
        READY_S, f"{lane.name} leaves or joins anew after its sleep",
    )  # fmt: skip


def freeze_at(point: str) -> LaneFault:
    """The same at a failpoint, so with a run in flight."""

    def stop(stage: Stage, lane: Lane, chance: random.Random) -> float:
        for _ in range(TRIES):
            worker = lane.arm(f"{point}:stop:{chance.randrange(5, 60)}")
            with suppress(TooLong):
                await_until(
                    lambda worker=worker: lane.is_frozen or lane.worker is not worker, ARMED_S, f"{lane.name} reaches {point}"
                )  # fmt: skip
            if lane.worker is worker:
                break
        if not lane.is_frozen:
            stage.missed.append(point)
            lane.signal(signal.SIGSTOP)
        struck = time.monotonic()
        _wake_later(stage, lane, worker, chance)
        with lane.lock:
            if lane.worker is worker:
                lane.armed = ""  # it has passed the point, and does nothing there any more
        return struck

    return stop


def spoil(*toxics: tuple[str, str, dict[str, int]], seconds: tuple[float, float]) -> LaneFault:
    """A fault of the network between one worker and the broker."""

    def fault(stage: Stage, lane: Lane, chance: random.Random) -> float:
        assert stage.proxy is not None, "set up with a proxy"
        settle(lane)
        struck = lane.strike()
        with stage.proxy.spoiled(lane.name, *toxics):
            time.sleep(chance.uniform(*seconds))
        return struck

    return fault


SLOW = spoil(
    ("latency", DOWN, {"latency": 400, "jitter": 300}), ("latency", UP, {"latency": 100, "jitter": 50}), seconds=(6, 9)
)
RESET = spoil(("reset_peer", DOWN, {"timeout": 0}), seconds=(0.5, 3.0))
HALF_OPEN = spoil(("timeout", DOWN, {"timeout": 0}), ("timeout", UP, {"timeout": 0}), seconds=(3.0, 11.0))
NARROW = spoil(("bandwidth", DOWN, {"rate": 20}), ("bandwidth", UP, {"rate": 20}), seconds=(6, 9))


def leave_and_return(_stage: Stage, lane: Lane, chance: random.Random) -> float:
    """SIGTERM of a worker, as in a rolling restart: another takes its place."""
    settle(lane)
    time.sleep(chance.uniform(0.0, 1.0))
    struck, worker = time.monotonic(), lane.worker
    lane.signal(signal.SIGTERM)
    await_until(lambda: lane.worker is not worker and lane.is_ready, READY_S, f"{lane.name} back", 0.2)
    return struck


def guest_comes_and_goes(stage: Stage, chance: random.Random) -> float:
    """One worker more joins the group, serves, and leaves."""
    guest, struck = stage.guest, time.monotonic()
    guest.blame("rebalance: join, leave")
    guest.start()
    await_until(lambda: guest.is_ready, READY_S, "the third worker ready", 0.2)
    time.sleep(chance.uniform(0.2, 1.5))
    guest.leave(signal.SIGTERM)
    await_until(lambda: guest.is_empty, READY_S, "the third worker gone")
    return struck


def kill_broker(stage: Stage, chance: random.Random) -> float:
    """kill -9 of the broker; it comes back on its data."""
    struck = time.monotonic()
    stage.broker.kill()
    time.sleep(chance.uniform(0.0, 4.0))
    stage.broker.restart()
    return struck


def bounce_broker(stage: Stage, _chance: random.Random) -> float:
    """A clean restart of the broker."""
    struck = time.monotonic()
    stage.broker.restart()
    return struck


def fill_disk(stage: Stage, chance: random.Random) -> float:
    """The broker's log directory gets full, Kafka stops; then there is room again, and Kafka is started."""
    assert stage.disk is not None, "set up with a small disk"
    stage.disk.fill(chance.randrange(16 << 10, 512 << 10))
    try:
        await_until(stage.ground.broker_is_down, 90, "Kafka stops on a full disk")
        struck = time.monotonic()
    except TooLong:
        stage.broker.kill()
        raise
    finally:
        time.sleep(chance.uniform(0.0, 2.0))
        stage.disk.free()
        stage.broker.restart()
    return struck


KILLS: dict[str, LaneFault] = {f"kill -9 at {point}": kill_at(point) for point in POINTS}
FREEZES: dict[str, LaneFault] = {
    f"SIGSTOP at {point}": freeze_at(point) for point in ("run_decided", "run_produced", "run_committed")
}
NETWORK: dict[str, LaneFault] = {
    "network: latency": SLOW,
    "network: resets": RESET,
    "network: half-open": HALF_OPEN,
    "network: bandwidth": NARROW,
}
BROKER: dict[str, StageFault] = {"broker kill -9": kill_broker, "broker bounce": bounce_broker}
