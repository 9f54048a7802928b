"""The controls as of any block: folded anew from the topic, up to the offset that the block's version names."""

from collections.abc import Callable, Iterable
from functools import cached_property

from monitor.controls.book import ControlBook
from monitor.controls.controls import NO_CONTROLS, Controls
from monitor.controls.policy import ControlsPolicy
from monitor.errors import ControlsError

Written = tuple[int, bytes | None, bytes | None]
"""Offset, key and value."""


KEPT = 8
"""Versions that are kept: blocks ask in about their order, and each has all controls of its moment."""


class ControlsHistory:
    """`read` gives all records of the topic; it is asked once, and not before a version is. They stay in memory, and the last `KEPT` versions."""

    def __init__(self, policy: ControlsPolicy, read: Callable[[], Iterable[Written]]) -> None:
        self._policy, self._read = policy, read
        self._known: dict[str, Controls] = {}
        self._begin()

    def at(self, version: str) -> Controls:
        """The controls that a block of this version was decided with. Raises `ControlsError` when the topic does not give them."""
        if not version:
            return NO_CONTROLS
        if version in self._known:
            return self._known[version]
        text, _, _ = version.partition("@")
        if not (text.isascii() and text.isdigit()):
            raise ControlsError(f"controls {version!r}: no version of controls; it is OFFSET@DIGEST")
        offset = int(text)
        if self._book.last_offset > offset:
            self._begin()
        while self._next < len(self._records) and self._records[self._next][0] <= offset:
            self._book.add(*self._records[self._next])
            self._next += 1
        if self._book.version != version:
            raise ControlsError(
                f"controls {version}: the topic gives {self._book.version or 'nothing'} up to there: records are missing or were altered, "
                "or app_id, controls_signers, controls_retired_signers and controls_approvals are not those of then; restore what was in force"
            )
        if len(self._known) >= KEPT:
            del self._known[next(iter(self._known))]
        self._known[version] = self._book.controls
        return self._known[version]

    @cached_property
    def _records(self) -> list[Written]:
        return list(self._read())

    def _begin(self) -> None:
        self._book, self._next = ControlBook(self._policy), 0
