"""Virtual time, in which everything of a history happens in one order that its seed decides.

Each simulated process has an event loop of its own (`SimLoop`), and all of them share one heap of what is due. A process that is
dead drops what is due for it, one that is frozen has it put off: between any two callbacks a worker may be killed or hang.

A blocking call (what a worker gives to its threads) is an ordinary Python call that says now and then how long it takes
(`World.pause`); meanwhile everybody else's time goes on, inside that call. Calls that overlap therefore end in the reverse order of their
beginning: an older one may be held up by a younger one, as by a slow thread.
"""

import asyncio
from asyncio.events import _set_running_loop
from collections.abc import Callable
from contextvars import copy_context
from heapq import heappop, heappush
from random import Random
from typing import Any

NEVER_S = float("inf")

MOST_EVENTS = 200_000
"""In one history; one that needs more goes round in circles."""


HELD_UP_S = 0.5
"""A blocking call that was held up so long may let its worker be fenced, or fence another."""


class Killed(BaseException):
    """The process of this call is dead. No `except Exception` may stop it."""


class Endless(Exception):
    """The history does not end."""


class Process:
    """What lives and dies at once. `frozen_until`: the virtual second before which nothing of it happens."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.frozen_until = 0.0
        self.loop: SimLoop | None = None
        self.was_out = False
        """Whether it hung beyond its session: from then on it may act where somebody else is in its place."""
        self.held_up_s = 0.0
        """The longest that a blocking call took beyond its own time."""
        self.fenced_by: list[Process] = []
        """Who took from it what it found itself fenced off."""

    @property
    def may_be_late(self) -> bool:
        """Whether it, or one of its threads, stood still so long that it may act where somebody else is in its place."""
        return self.was_out or self.held_up_s > HELD_UP_S


class World:
    """Time and what is due."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.now = 0.0
        self.events = 0
        self.over = False
        self._due: list[tuple[float, int, Process | None, Callable[..., Any], tuple[Any, ...]]] = []
        self._number = 0
        self._loop: SimLoop | None = None

    def at(self, time: float, process: Process | None, call: Callable[..., Any], *args: Any) -> None:
        """Make `call` happen then, unless `process` is dead by then."""
        self._number += 1
        heappush(self._due, (time, self._number, process, call, args))

    def after(self, seconds: float, process: Process | None, call: Callable[..., Any], *args: Any) -> None:
        """Make `call` happen in so many seconds."""
        self.at(self.now + seconds, process, call, *args)

    def run(self, limit_s: float) -> None:
        """Until it is `over`. Raises `Endless` at `limit_s`, when nothing is due any more, and after `MOST_EVENTS`."""
        try:
            while not self.over:
                if not self._due or self._due[0][0] > limit_s:
                    raise Endless(f"no end after {limit_s:g} virtual seconds")
                self._step()
        finally:
            self.enter(None)

    def pause(self, process: Process, seconds: float) -> None:
        """A blocking call of `process` takes so long. Raises `Killed` when it is dead, or everything is over, by then."""
        until = self.now + seconds
        loop = self._loop
        try:
            while True:
                if process.frozen_until > until:
                    until = process.frozen_until
                if process.dead or self.over:
                    raise Killed
                if not self._due or self._due[0][0] > until:
                    process.held_up_s = max(process.held_up_s, self.now - until)
                    self.now = max(self.now, until)
                    return
                self._step()
        finally:
            if self._loop is not loop:
                self.enter(loop)

    def enter(self, loop: "SimLoop | None") -> None:
        """What happens next happens in this event loop."""
        self._loop = loop
        _set_running_loop(loop)

    def _step(self) -> None:
        time, _, process, call, args = heappop(self._due)
        if process is not None:
            if process.dead:
                return
            if process.frozen_until > time:
                self.at(process.frozen_until, process, call, *args)
                return
            if process.loop is not self._loop:
                self.enter(process.loop)
        self.events += 1
        if self.events > MOST_EVENTS:
            raise Endless(f"no end after {MOST_EVENTS} events")
        if time > self.now:
            self.now = time
        call(*args)


_NO_CONTEXT = copy_context()
"""Contexts are not simulated: nothing here has a context variable of its own."""


class SimLoop(asyncio.AbstractEventLoop):
    """The event loop of one process. What its tasks raise and nobody awaits is dropped: a process that dies says nothing."""

    def __init__(self, world: World, process: Process) -> None:
        self._world, self._process = world, process
        process.loop = self

    def time(self) -> float:
        """Virtual seconds."""
        return self._world.now

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        """Now, after what is due already. What it returns cancels nothing; who calls this in asyncio never asks."""
        self._world.at(self._world.now, self._process, callback, *args)
        return _NO_HANDLE

    call_soon_threadsafe = call_soon

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        """In `delay` virtual seconds."""
        return self.call_at(self._world.now + delay, callback, *args, context=context)

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        """At a virtual second."""
        handle = asyncio.TimerHandle(when, callback, args, self, _NO_CONTEXT)
        self._world.at(when, self._process, self._run, handle)
        return handle

    def _run(self, handle: asyncio.Handle) -> None:
        if not handle._cancelled:
            handle._callback(*handle._args)  # type: ignore[attr-defined]

    def create_future(self) -> asyncio.Future[Any]:
        """A future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: str | None = None, context: Any = None) -> asyncio.Task[Any]:
        """A task of this loop."""
        return asyncio.Task(coro, loop=self, name=name, context=context)

    def start(self, make: Callable[[], Any]) -> None:
        """Make a task of the coroutine that `make` returns, from outside of the loop."""
        self.call_soon(lambda: self.create_task(make()))

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:
        """Call `func` a moment later, as a blocking call of this process; `executor` is a name only."""
        future = self.create_future()
        delay = self._world.random.random() * 0.002
        self._world.after(delay, self._process, self._call, future, func, args)
        return future

    def _call(self, future: asyncio.Future[Any], func: Any, args: tuple[Any, ...]) -> None:
        try:
            result = func(*args)
        except Killed:
            return
        except Exception as error:
            self.call_soon(_fail, future, error)
            return
        self.call_soon(_set, future, result)

    def get_debug(self) -> bool:
        """Never."""
        return False

    def is_running(self) -> bool:
        """Always: time goes on."""
        return True

    def is_closed(self) -> bool:
        """Never."""
        return False

    def call_exception_handler(self, context: Any) -> None:
        """Nobody is told."""

    def _timer_handle_cancelled(self, handle: Any) -> None:
        pass


_NO_HANDLE = asyncio.Handle(print, (), SimLoop(World(Random(0)), Process("nobody")), _NO_CONTEXT)


def _set(future: asyncio.Future[Any], result: Any) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
