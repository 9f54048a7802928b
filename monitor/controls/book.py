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
"""Refusals that are told."""

MOST_REFUSED = 100
"""Keys whose refusals are kept in words: whoever may write can make up any number."""


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
        self._timed: dict[str, Suppression | Override] = {}  # of the entries in force; all versions share them
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
            if len(self._refused) > MOST_REFUSED:
                del self._refused[next(iter(self._refused))]
            return self._refused[key]
        self._put(Entry(offset, control))
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
            self._controls = _controls(self.version, self._timed.values(), self._entries.values())
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

    def _put(self, entry: Entry) -> None:
        """In the place of the one before of its key, behind all others."""
        key = entry.control.key
        self._entries.pop(key, None)
        self._timed.pop(key, None)
        self._entries[key] = entry
        timed = None if entry.control.withdrawn else _timed(entry.control)
        if timed is not None:
            self._timed[key] = timed

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


def _timed(control: Control) -> Suppression | Override | None:
    """What a control that ends by its time is to runs; None for the other kinds."""
    span = control.from_ms, control.until_ms or 0
    if control.kind == SUPPRESSION:
        about = control.account_id, control.rule_id, control.reason_code, control.blocks
        return Suppression(control.control_id, *about, *span)
    if control.kind == OVERRIDE:
        return Override(control.control_id, control.account_id or "", OUTCOMES.index(control.outcome or ""), *span)
    return None


def _controls(version: str, timed: Iterable[Suppression | Override], entries: Iterable[Entry]) -> Controls:
    timed = tuple(timed)
    lists: dict[str, set[str]] = defaultdict(set)
    rails = {}
    for _, each in entries:
        if each.withdrawn:
            continue
        if each.kind == LIST_ENTRY:
            lists[each.list_name or ""].add(each.word or "")
        elif each.kind == RAIL and each.state != AUTO:
            rails[each.rail or ""] = each.state or ""
    return Controls(
        version,
        tuple(each for each in timed if isinstance(each, Suppression)),
        tuple(each for each in timed if isinstance(each, Override)),
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
