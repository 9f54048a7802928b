"""Whether the worker is alive and whether it is ready: a pure state, told facts by the app and asked by the HTTP server.

An HTTP 200 alone says nothing: Faust's own index answers OK while the group has long thrown the worker out. So `live` is about
progress (fetches come back, a run in flight ends, a recovery ends, nothing fatal happened) and `ready` is about ability
(partitions assigned, their state loaded, a model served or its absence declared). Times are monotonic seconds of the clock
that is passed in.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from monitor.clock import Clock

Verdict = tuple[bool, dict[str, Any]]
"""Whether it holds, and the detail as JSON values; `problems` lists in words why not."""


class Degraded(StrEnum):
    """A part of the worker it can go on without, for a while."""

    MODEL = "model"  # missing, or it failed its self-check: rules only
    RULES = "rules"  # those to be served were refused, and there were none before: the model alone
    RISK = "risk"  # no snapshot of risk is in force now: what stands beside the forest and needs one is silent
    CONTROLS = "controls"  # their topic does not answer or is missing: those known go on
    SCHEMAS = "schemas"  # the schema source does not answer: known schemas go on
    RAIL = "rail"  # a payment rail is walled off: its transactions get a policy outcome
    CLOCK = "clock"  # this machine's clock is behind the records': it is corrected by what they say
    EXPLANATIONS = "explanations"  # decisions come late: alerts go without the model's explanation


@dataclass(frozen=True, slots=True)
class Limits:
    """How long each kind of silence may last, seconds; all are far beyond a healthy worker's.

    `poll_s`: between two fetches (poll_interval_s: the group gives the worker up then). `run_s`: one run in flight (above
    commit_timeout_s, at which the worker leaves by itself). `recovery_s`: the load of the assigned partitions.
    """

    poll_s: float = 300.0
    run_s: float = 60.0
    recovery_s: float = 660.0


class Health:
    """Facts go in by the `note_*` methods, on the event loop; `live` and `ready` read them."""

    def __init__(self, clock: Clock, limits: Limits | None = None) -> None:
        self._clock = clock
        self._limits = limits or Limits()
        self._started_s = clock.monotonic_s()
        self._last_poll_s: float | None = None
        self._last_commit_s: float | None = None
        self._assigned_s: float | None = None
        self._fetching_since_s = self._started_s
        self._assigned: set[int] = set()
        self._recovered: set[int] = set()
        self._runs: dict[int, float] = {}
        self._model: str | None = None
        self._refused: tuple[str, ...] = ()
        self._controls: dict[str, Any] = {"version": ""}
        self._refused_controls: tuple[str, ...] = ()
        self._fatal: str | None = None
        self._degraded: set[Degraded] = set()
        self._rails: dict[str, Any] = {"rails": []}

    def note_started(self) -> None:
        """The worker has been put together and begins; silence counts from here."""
        self._started_s = self._clock.monotonic_s()

    def note_poll(self) -> None:
        """A fetch came back from the client, with or without records."""
        self._last_poll_s = self._clock.monotonic_s()

    def note_run(self, partition: int) -> None:
        """A run of the partition was taken up."""
        self._runs[partition] = self._clock.monotonic_s()

    def note_commit(self, partition: int) -> None:
        """The run of the partition is committed."""
        self._runs.pop(partition, None)
        self._last_commit_s = self._clock.monotonic_s()

    def note_assigned(self, partitions: Iterable[int]) -> None:
        """The group assigned exactly these partitions, perhaps none; those it kept stay recovered."""
        self._assigned = set(partitions)
        self._recovered &= self._assigned
        self._assigned_s = self._clock.monotonic_s()

    def note_recovered(self, partition: int) -> None:
        """The partition's state is loaded; a partition that was revoked meanwhile is ignored."""
        if partition in self._assigned:
            self._recovered.add(partition)
            self._fetching_since_s = self._clock.monotonic_s()

    def note_revoked(self, partitions: Iterable[int]) -> None:
        """The group takes these away; until the next assignment the worker is not ready."""
        for partition in partitions:
            self._assigned.discard(partition)
            self._recovered.discard(partition)
            self._runs.pop(partition, None)
        self._assigned_s = None

    def note_model(self, version: str) -> None:
        """A model passed its self-check and is being served."""
        self._model = version
        self._degraded.discard(Degraded.MODEL)

    def note_refused(self, refused: Iterable[str]) -> None:
        """Artifacts that lie there and were not taken, and why; what was served before goes on."""
        self._refused = tuple(refused)

    def note_controls(self, version: str, counts: Mapping[str, int], refused: Iterable[str]) -> None:
        """The controls that runs are decided with, how many there are by kind, and why records were passed over."""
        self._controls = {"version": version, **counts}
        self._refused_controls = tuple(refused)

    @property
    def refused(self) -> tuple[str, ...]:
        """What was refused, and why."""
        return self._refused

    def note_degraded(self, state: Degraded, on: bool) -> None:
        """The worker goes on without a part of itself, or has it back."""
        (self._degraded.add if on else self._degraded.discard)(state)

    def note_rails(self, rails: dict[str, Any]) -> None:
        """How each payment rail stands, as /rails answers it: JSON values, with one object a rail in `rails`."""
        self._rails = rails

    @property
    def rails(self) -> dict[str, Any]:
        """What was noted last."""
        return self._rails

    @property
    def degraded(self) -> frozenset[Degraded]:
        """What the worker goes on without."""
        return frozenset(self._degraded)

    def note_fatal(self, reason: str) -> None:
        """The worker is leaving; the first reason stays."""
        self._fatal = self._fatal or reason

    def live(self, now_s: float | None = None) -> Verdict:
        """Whether to leave the process running. False asks for a restart, which is always safe."""
        now_s = self._clock.monotonic_s() if now_s is None else now_s
        problems = self._fatal_problem()
        poll_age_s = now_s - max(self._started_s, self._last_poll_s or self._started_s, self._fetching_since_s)
        # Without partitions, and while their state is loaded, nothing is fetched.
        resting = self._assigned_s is not None and (not self._assigned or bool(self._recovering()))
        if not resting and poll_age_s > self._limits.poll_s:
            problems.append(f"no fetch came back for {poll_age_s:.1f} s; the limit is {self._limits.poll_s:g} s")
        for partition, since_s in sorted(self._runs.items()):
            if now_s - since_s > self._limits.run_s:
                problems.append(
                    f"the run of partition {partition} is in flight for {now_s - since_s:.1f} s; the limit is {self._limits.run_s:g} s"
                )
        if self._assigned_s is not None and self._recovering() and now_s - self._assigned_s > self._limits.recovery_s:
            problems.append(
                f"partitions {self._recovering()} not recovered after {now_s - self._assigned_s:.1f} s; the limit is {self._limits.recovery_s:g} s"
            )
        return not problems, {
            "live": not problems,
            "problems": problems,
            "uptime_s": round(now_s - self._started_s, 3),
            "poll_age_s": None if self._last_poll_s is None else round(poll_age_s, 3),
            "commit_age_s": None if self._last_commit_s is None else round(now_s - self._last_commit_s, 3),
            "runs_in_flight": len(self._runs),
        }

    def ready(self, now_s: float | None = None) -> Verdict:
        """Whether the worker decides transactions, or would if there were any. No partitions is ready: it stands by."""
        alive, _ = self.live(now_s)
        problems = self._fatal_problem()
        if not alive and not problems:
            problems.append("not live; /live says why")
        if self._assigned_s is None:
            problems.append("no assignment of partitions yet")
        if self._recovering():
            problems.append(f"the state of partitions {self._recovering()} is being loaded")
        if self._model is None and Degraded.MODEL not in self._degraded:
            problems.append("no model loaded yet")
        return not problems, {
            "ready": not problems,
            "problems": problems,
            "assigned": sorted(self._assigned),
            "recovered": sorted(self._recovered),
            "model": self._model,
            "degraded": sorted(self._degraded),
            "controls": self._controls,
            "refused": [*self._refused, *self._refused_controls],
            "rails": [each for each in self._rails["rails"] if each["state"] != "healthy"],
        }

    def _fatal_problem(self) -> list[str]:
        return [] if self._fatal is None else [f"fatal: {self._fatal}"]

    def _recovering(self) -> list[int]:
        return sorted(self._assigned - self._recovered)
