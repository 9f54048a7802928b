"""Where a person decides: each decision becomes the next record of what it is about, made against the book as it stands. Pure but for new ids."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from monitor.controls.book import ControlBook
from monitor.controls.record import LIST_ENTRY, OVERRIDE, RAIL, SUPPRESSION, Control, checked
from monitor.errors import ControlsError

SHORTEST_ID = 4
"""Characters of an id that may stand for it."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Who decides, why, and when by their clock. Every method raises `ControlsError` for what cannot be decided."""

    book: ControlBook
    now_ms: int
    author: str
    reason: str

    def suppress(self, about: Mapping[str, str | None], from_ms: int, until_ms: int, *, blocks: bool) -> list[Control]:
        """Withhold alerts: `about` names account_id, rule_id or reason_code."""
        return [self._made(SUPPRESSION, from_ms, until_ms=until_ms, blocks=blocks, **about)]

    def override(self, account_id: str, outcome: str, from_ms: int, until_ms: int) -> list[Control]:
        """Have one outcome for an account, in place of an override before."""
        return [self._made(OVERRIDE, from_ms, until_ms=until_ms, account_id=account_id, outcome=outcome)]

    def add_words(self, list_name: str, words: Sequence[str]) -> list[Control]:
        """Add words to a list of the rules; those that it has from here already are left out."""
        wanted = [word for word in dict.fromkeys(words) if self._entry(list_name, word) is None]
        if not wanted:
            raise ControlsError(f"list {list_name}: {', '.join(words)}: there already; see monitor controls list")
        return [self._made(LIST_ENTRY, self.now_ms, list_name=list_name, word=word) for word in wanted]

    def remove_words(self, list_name: str, words: Sequence[str]) -> list[Control]:
        """Withdraw words of a list that were added here."""
        found = {word: self._entry(list_name, word) for word in words}
        missing = [word for word, entry in found.items() if entry is None]
        if missing:
            raise ControlsError(
                f"list {list_name}: {', '.join(missing)}: not added by a control; words of the file of rules are changed there"
            )
        return [self._withdrawn(entry) for entry in found.values() if entry is not None]

    def set_rail(self, rail: str, state: str) -> list[Control]:
        """Wall off a rail, open it, or leave it to the worker (`auto`)."""
        return [self._made(RAIL, self.now_ms, rail=rail, state=state)]

    def withdraw(self, control_id: str) -> list[Control]:
        """End the control of this id, or of the only id that begins so."""
        found = [
            each.control
            for each in self.book.entries
            if not each.control.withdrawn and each.control.control_id.startswith(control_id)
        ]
        if len(found) != 1 or len(control_id) < SHORTEST_ID:
            said = (
                f"{len(found)} controls have ids that begin so; write more of it"
                if found
                else "nothing of that id is in force"
            )
            raise ControlsError(f"control {control_id!r}: {said}; see monitor controls list")
        return [self._withdrawn(found[0])]

    def _entry(self, list_name: str, word: str) -> Control | None:
        found = self.book.before(f"list/{list_name}/{word}")
        return None if found is None or found.withdrawn else found

    def _made(self, kind: str, from_ms: int, **fields: Any) -> Control:
        return self._next(Control(str(uuid4()), kind, self.author, self.reason, self.now_ms, from_ms, **fields))

    def _withdrawn(self, control: Control) -> Control:
        return self._next(
            replace(control, withdrawn=True, author=self.author, reason=self.reason, created_at=self.now_ms)
        )

    def _next(self, control: Control) -> Control:
        """Later than the record before, whoever's clock is slow."""
        before = self.book.before(checked(control).key)
        return (
            control if before is None else replace(control, created_at=max(control.created_at, before.created_at + 1))
        )
