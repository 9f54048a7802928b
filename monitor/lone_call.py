"""A blocking call that may hang, kept apart: never more than one of it under way, in a thread of its own that nobody waits for at the end.

A file on a network mount that went away is read until the mount is back: nothing else ends that. In the executor it would hold a thread that commits
need, and keep the process from ending.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class LoneCall(Generic[T]):
    """`call`, which takes no arguments; `name` is its thread's. Asked from one task of one event loop."""

    def __init__(self, call: Callable[[], T], name: str) -> None:
        self._call, self._name = call, name
        self._under_way: asyncio.Future[T] | None = None

    async def result(self, patience_s: float) -> T:
        """What the call returns or raises. Raises `TimeoutError` when it is not back in `patience_s`: it stays under way then, and the next who asks
        waits for it, not for a new one.
        """
        if self._under_way is None:
            done: Future[T] = Future()
            self._under_way = asyncio.wrap_future(done)
            threading.Thread(target=self._run, args=(done,), name=self._name, daemon=True).start()
        await asyncio.wait([self._under_way], timeout=patience_s)
        if not self._under_way.done():
            raise TimeoutError
        ended, self._under_way = self._under_way, None
        return ended.result()

    def _run(self, done: "Future[T]") -> None:
        try:
            done.set_result(self._call())
        except BaseException as error:
            done.set_exception(error)
