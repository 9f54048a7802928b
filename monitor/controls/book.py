"""The controls there are, folded from the records of their topic, one after the other. Pure: the same records give the same controls.

What cannot be read or is not allowed is passed over, and told; it counts in the digest all the same, which stands for every byte of the topic so far.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import NamedTuple

from monitor.controls.controls import NO_CONTROLS, Controls, Override, Suppression
from monitor.controls.policy import ControlsPolicy
from monitor.controls.record import AUTO, KINDS, LIST_ENTRY, OVERRIDE, RAIL, SUPPRESSION, Control, read_signed
from monitor.decide.policy import OUTCOMES
from monitor.errors import ControlsError

VERSION_DIGITS = 12
"""Hexadecimal digits of the digest that a version shows."""

MOST_TOLD = 10
"""Refusals that are kept in words."""


class Entry(NamedTuple):
    """The last record of its key, and where it lies."""

    offset: int
    control: Control


class ControlBook:
    """Records are added in the order of their offsets. `policy` says whose signatures a record needs; another one makes another digest."""

    def __init__(self, policy: ControlsPolicy) -> None:
        self._policy = policy
        self._digest = policy.beginning()
        self._entries: dict[str, Entry] = {}
        self._refused: dict[bytes | None, str] = {}
        self._controls: Controls | None = NO_CONTROLS
        self.last_offset = -1
        """Of the last record; -1 for none."""
        self.refusals = 0
        """Records passed over so far."""

    def add(self, offset: int, key: bytes | None, value: bytes | None) -> str | None:
        """Fold the record in; why it was passed over, or None. Raises `ValueError` for an offset that is not behind the last."""
        if offset <= self.last_offset:
            raise ValueError(f"offset {offset} after {self.last_offset}: records are added in their order")
        self._digest = _chained(self._digest, key, value)
        self.last_offset, self._controls = offset, None
        try:
            control = self._allowed(offset, key, value)
        except ControlsError as error:
            self.refusals += 1
            self._refused.pop(key, None)  # to the end: the last ones are told
            self._refused[key] = f"control at offset {offset} ({_shown(key)}): {error}"
            return self._refused[key]
        self._entries.pop(control.key, None)
        self._entries[control.key] = Entry(offset, control)
        self._refused.pop(key, None)
        return None

    @property
    def version(self) -> str:
        """As audit blocks have it: the offset of the last record, and the beginning of the digest; "" for an empty topic."""
        return "" if self.last_offset < 0 else f"{self.last_offset}@{self._digest.hex()[:VERSION_DIGITS]}"

    @property
    def controls(self) -> Controls:
        """What is in force after the records so far; never changed, and the same object until another record is added."""
        if self._controls is None:
            self._controls = _controls(self.version, [each.control for each in self._entries.values()])
        return self._controls

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The last record of each key, in the order of their offsets; withdrawn ones too."""
        return tuple(self._entries.values())

    @property
    def refused(self) -> tuple[str, ...]:
        """Why records were passed over: the last few, without those whose key has a good record since."""
        return tuple(self._refused.values())[-MOST_TOLD:]

    def counts(self) -> Mapping[str, int]:
        """How many are not withdrawn, by kind; some may have ended by their time."""
        counts = Counter(each.control.kind for each in self._entries.values() if not each.control.withdrawn)
        return {kind: counts[kind] for kind in KINDS}

    def before(self, key: str) -> Control | None:
        """The last control of a key."""
        found = self._entries.get(key)
        return None if found is None else found.control

    def _allowed(self, offset: int, key: bytes | None, value: bytes | None) -> Control:
        """The record's control. Raises `ControlsError` for what is none, or is not allowed here."""
        signed = read_signed(value or b"")
        control, policy = signed.control, self._policy
        if key != control.key.encode():
            raise ControlsError(f"its key must be {control.key!r}; write it with monitor controls")
        if policy.asks:
            valid, needed = policy.signed_by(control, signed.signatures, offset), policy.approvals.needed
            if len(valid) < needed:
                raise ControlsError(
                    f"{len(valid)} valid signatures of the {needed} needed for {policy.installation}; monitor controls propose, sign, and submit"
                )
        before = self.before(control.key)
        if (
            before is not None and control.created_at <= before.created_at
        ):  # else a signed record could be put there again
            raise ControlsError(
                f"created_at = {control.created_at}: not after that of the record before; decide it anew"
            )
        if control.withdrawn and (before is None or before.withdrawn or before.control_id != control.control_id):
            raise ControlsError(
                f"control_id = {control.control_id!r}: nothing of that id is in force; see monitor controls list"
            )
        return control


def _controls(version: str, entries: Iterable[Control]) -> Controls:
    suppressions, overrides = [], []
    lists: dict[str, set[str]] = defaultdict(set)
    rails = {}
    for each in entries:
        if each.withdrawn:
            continue
        if each.kind == SUPPRESSION:
            suppressions.append(
                Suppression(
                    each.control_id,
                    each.account_id,
                    each.rule_id,
                    each.reason_code,
                    each.blocks,
                    each.from_ms,
                    each.until_ms or 0,
                )
            )
        elif each.kind == OVERRIDE:
            outcome = OUTCOMES.index(each.outcome or "")
            overrides.append(
                Override(each.control_id, each.account_id or "", outcome, each.from_ms, each.until_ms or 0)
            )
        elif each.kind == LIST_ENTRY:
            lists[each.list_name or ""].add(each.word or "")
        elif each.kind == RAIL and each.state != AUTO:
            rails[each.rail or ""] = each.state or ""
    return Controls(
        version,
        tuple(suppressions),
        tuple(overrides),
        MappingProxyType({name: tuple(sorted(words)) for name, words in sorted(lists.items())}),
        MappingProxyType(dict(sorted(rails.items()))),
    )


def _chained(before: bytes, key: bytes | None, value: bytes | None) -> bytes:
    """Each part behind its length in 8 bytes, big-endian; -1 for null."""
    digest = sha256(before)
    for part in (key, value):
        digest.update((-1 if part is None else len(part)).to_bytes(8, "big", signed=True))
        digest.update(part or b"")
    return digest.digest()


def _shown(key: bytes | None) -> str:
    return "no key" if key is None else repr(key[:80].decode(errors="replace"))
