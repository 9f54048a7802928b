"""A campaign: a seeded list of faults, in rounds, over a stream that lasts as long as they do; then the count of what is wrong."""

import random
import re
import signal
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.chaos import faults
from tests.chaos.crew import Ended, Lane
from tests.chaos.stage import Stage, TooLong, await_until

RECOVERY_S = 240.0
"""How long the stream may stand still after a fault before that counts as a violation."""

END_S = 600.0

TYPICAL_S = {"kill": 9.0, "SIGSTOP": 16.0, "network": 11.0, "rebalance": 7.0, "broker": 9.0, "disk": 14.0}
"""Seconds a fault takes with all it needs, by the first word of its name; two lanes share those of workers and network."""

RATE_BOUNDS = (0.2, 4.0)
CATCH_UP_S = 20.0


@dataclass(frozen=True)
class Round:
    """Names of faults: of single workers, as many at once as there are workers; then of the group; then of the broker."""

    workers: Sequence[str] = ()
    group: Sequence[str] = ()
    broker: Sequence[str] = ()

    @property
    def names(self) -> list[str]:
        return [*self.workers, *self.group, *self.broker]


@dataclass(frozen=True)
class Counts:
    """How many of each fault."""

    kills: int
    each: int
    rebalances: int
    network: bool = True
    disk: bool = True

    def rounds(self, seed: int) -> list[Round]:
        """All of them in rounds of about 35, so that each kind meets an installation that is young and one that is old."""
        chance = random.Random(seed)
        count = max(1, min(10, self.kills // 20))
        parts = [_parts(names(chance), count) for names in (self.of_workers, self.of_group, self.of_broker)]
        return [Round(*names) for names in zip(*parts, strict=True)]

    def of_workers(self, chance: random.Random) -> list[str]:
        """Faults of single workers, in seeded order."""
        names = [f"kill -9 at {point}" for point in faults.POINTS]
        half = self.kills // 2
        found = [names[number % len(names)] for number in range(half)]
        found += ["kill -9 at random"] * (self.kills - half)
        froze = [*faults.FREEZES]
        found += [froze[number % len(froze)] for number in range(self.each // 2)]
        found += ["SIGSTOP at random"] * (self.each - self.each // 2)
        if self.network:
            found += [name for name in faults.NETWORK for _ in range(self.each)]
        chance.shuffle(found)
        return found

    def of_broker(self, chance: random.Random) -> list[str]:
        found = [name for name in (*faults.BROKER, *(["disk full"] if self.disk else [])) for _ in range(self.each)]
        chance.shuffle(found)
        return found

    def of_group(self, chance: random.Random) -> list[str]:
        """Changes of the group's members; each makes two rebalances."""
        half = self.rebalances // 4
        found = ["rebalance: rolling restart"] * (-(-self.rebalances // 2) - half) + ["rebalance: join, leave"] * half
        chance.shuffle(found)
        return found


@dataclass
class Tally:
    """What came of the faults: pauses in seconds by fault, and what went wrong."""

    pauses: dict[str, list[float]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, fault: str, pause_s: float | None, wrong: str = "") -> None:
        with self.lock:
            found = self.pauses.setdefault(fault, [])
            if pause_s is not None:
                found.append(pause_s)
            if wrong:
                self.wrong.append(wrong)

    @property
    def count(self) -> int:
        return sum(len(found) for found in self.pauses.values())


WORKER_FAULTS: dict[str, faults.LaneFault] = {
    "kill -9 at random": faults.kill_at_random,
    "SIGSTOP at random": faults.freeze,
    **faults.KILLS,
    **faults.FREEZES,
    **faults.NETWORK,
}
STAGE_FAULTS: dict[str, faults.StageFault] = {**faults.BROKER, "disk full": faults.fill_disk}


class Campaign:
    """Runs the faults of `rounds` on a stage while at least `least` transactions flow."""

    def __init__(self, stage: Stage, seed: int, least: int, rounds: Sequence[Round], out: Any = sys.stdout) -> None:
        self.stage, self.least, self.rounds, self.tally = stage, least, rounds, Tally()
        self.chance = random.Random(seed)
        every = [name for part in rounds for name in part.names]
        self.total_s = sum(_seconds(name, len(stage.regular)) for name in every)
        self.done_s, self._total = 0.0, len(every)
        self.feed = stage.feed(seed, least, least / max(self.total_s, 20.0))
        self._began, self._out = time.monotonic(), out
        self.generations = 0

    def run(self) -> Tally:
        """All rounds; then the stream's end, decided."""
        for number, part in enumerate(self.rounds, 1):
            self._on_lanes(part.workers)
            self._settle()
            before = self._generation()
            for name in part.group:
                self._one(name, partial(self._change, name))
            self.generations += max(0, self._generation() - before)
            for name in part.broker:
                self._one(name, partial(self._break, name))
            self._say(f"round {number} of {len(self.rounds)} done")
        return self.tally

    def finish(self) -> None:
        """Stop the faults, let the stream end and everything be decided, then let the workers stop."""
        self.feed.finish()
        self._say("the stream has ended")
        try:
            self.stage.await_decided(self.feed.through, END_S)
        except TooLong as error:
            self.tally.wrong.append(f"not everything is decided at the end: {error}")
        self._settle()
        self.stage.crew.close()
        for fault, codes in self.stage.crew.exits().items():
            wrong = {code: count for code, count in codes.items() if fault.startswith(("rebalance", "end")) and code}
            if wrong:
                self.tally.wrong.append(f"{fault}: workers left with {wrong}, and must not")
        for each in self.stage.crew.unexpected():
            self.tally.wrong.append(f"{each.fault}: a worker left with {each.code}: {each.why}")

    def _on_lanes(self, names: Sequence[str]) -> None:
        """The lanes share the list: each takes the next as soon as its last is over."""
        waiting = list(reversed(names))

        def work(lane: Lane, chance: random.Random) -> None:
            while True:
                with self.tally.lock:
                    if not waiting:
                        return
                    lane.coming = waiting.pop()
                self._one(lane.coming, partial(WORKER_FAULTS[lane.coming], self.stage, lane, chance))

        chances = [random.Random(self.chance.random()) for _ in self.stage.regular]
        threads = [
            threading.Thread(target=work, args=pair, daemon=True)
            for pair in zip(self.stage.regular, chances, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _settle(self) -> None:
        """Until all workers serve as one group, and none carries a failpoint into what follows."""
        for lane in self.stage.regular:
            with lane.lock:
                lane.arming = ""
                if lane.armed and lane.worker is not None:
                    lane.blame("disarmed")
                    lane.worker.kill()
                    lane.look()
        try:
            self.stage.await_group()
        except TooLong as error:
            self.tally.wrong.append(str(error))

    def _change(self, name: str) -> float:
        self._blame_all(name)
        if name == "rebalance: join, leave":
            return faults.guest_comes_and_goes(self.stage, self.chance)
        return faults.leave_and_return(self.stage, self.chance.choice(self.stage.regular), self.chance)

    def _break(self, name: str) -> float:
        self._blame_all(name)
        return STAGE_FAULTS[name](self.stage, self.chance)

    def _blame_all(self, name: str) -> None:
        """A fault that meets all workers begins, when what the last one did to each is over."""
        for lane in self.stage.regular:
            faults.settle(lane)
            lane.blame(name)

    def _one(self, name: str, inject: Callable[[], float]) -> None:
        try:
            struck = inject()
            pause = self._pause(struck)
        except Exception as error:  # the campaign goes on, and says so at the end
            self.tally.note(name, None, f"{name}: {type(error).__name__}: {error}")
            self._say(f"{name}: WRONG: {error}")
        else:
            self.tally.note(name, pause)
            self._say(f"{name}: {pause:.1f} s")
        with self.tally.lock:
            self.done_s += _seconds(name, len(self.stage.regular))
        self._pace()

    def _pause(self, struck: float) -> float:
        """Seconds: the longest that a partition decided nothing, from the fault until a transaction sent after its end is decided."""
        over = time.monotonic()
        await_until(lambda: self.feed.sent_after(over), RECOVERY_S, "transactions sent after the fault")
        goal = self.feed.sent_after(over)
        assert goal is not None
        self.stage.await_decided(goal, RECOVERY_S)
        return self.stage.watch.standstill(struck, goal)

    def _pace(self) -> None:
        """So much of the stream shall be sent as faults are over, in proportion."""
        base, due = self.least / max(self.total_s, 20.0), self.least * self.done_s / max(self.total_s, 1e-9)
        low, high = RATE_BOUNDS
        self.feed.rate = min(max(base + (due - self.feed.sent) / CATCH_UP_S, low * base), high * base)
        if self.feed.failure is not None:
            raise self.feed.failure

    def _generation(self) -> int:
        lines = [line for lane in self.stage.regular if lane.worker is not None for line in lane.worker.lines()]
        return max((line["generation"] for line in lines if line["message"] == "partitions assigned"), default=0)

    def _say(self, what: str) -> None:
        spent = time.monotonic() - self._began
        exits = sum((codes for codes in self.stage.crew.exits().values()), Counter[int]())
        print(
            f"{spent:7.0f} s  {self.tally.count:4}/{self._total}  sent {self.feed.sent:8}  exits {dict(sorted(exits.items()))}  {what}",
            file=self._out,
            flush=True,
        )


def _seconds(name: str, lanes: int) -> float:
    word = name.split(maxsplit=1)[0].rstrip(":")
    return TYPICAL_S[word] / (lanes if word in ("kill", "SIGSTOP", "network") else 1)


def _parts(names: list[str], count: int) -> list[list[str]]:
    """The list in `count` parts of about the same length."""
    return [names[len(names) * at // count : len(names) * (at + 1) // count] for at in range(count)]


def reasons(ended: Iterable[Ended]) -> dict[str, int]:
    """Why workers left by themselves, and how often: what all of a kind say is said once."""
    found = Counter(
        f"{each.code} after {each.fault}: {re.sub(r'[0-9a-f-]{8,}|[0-9]+', 'N', each.why)[:300]}"
        for each in ended
        if each.code not in (0, -signal.SIGKILL)
    )
    return dict(found.most_common())


def summary(tally: Tally, exits: dict[str, Counter[int]]) -> list[dict[str, Any]]:
    """One row a fault: how often, how long the slowest partition stood still, and how workers ended."""
    return [
        {
            "fault": name,
            "count": len(pauses),
            "pause_s_median": round(statistics.median(pauses), 1) if pauses else None,
            "pause_s_max": round(max(pauses), 1) if pauses else None,
            "exits": {str(code): count for code, count in sorted(exits.get(name, Counter[int]()).items())},
        }
        for name, pauses in sorted(tally.pauses.items())
    ]
