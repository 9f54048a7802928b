"""One control as it lies in the topic: what a person decided, checked, with the signatures that it carries.

A record is of one kind, and its key says what it is about: a later record of the same key replaces it. It ends with a record that repeats it with
`withdrawn`, whose author is who withdrew it.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from types import MappingProxyType
from typing import Any
from uuid import UUID

from monitor.decide.policy import OUTCOMES
from monitor.errors import ControlsError
from monitor.registry.approvals import CONTROLS, signed_bytes
from monitor.wire.columns import CHANNELS
from monitor.wire.our_records import read_record, write_record

SCHEMA = "control.avsc"

SUPPRESSION, OVERRIDE, LIST_ENTRY, RAIL = "suppression", "override", "list_entry", "rail"
KINDS = (SUPPRESSION, OVERRIDE, LIST_ENTRY, RAIL)

WALLED, OPEN, AUTO = "walled", "open", "auto"
STATES = (WALLED, OPEN, AUTO)
"""Of a rail; `auto` leaves it to the worker."""

MAX_CHARACTERS = 1_000
"""Of each text."""

MAX_MS = 253_402_300_800_000
"""The end of the year 9999, which dates end with."""

_OF_KIND: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        SUPPRESSION: ("account_id", "rule_id", "reason_code", "blocks"),
        OVERRIDE: ("account_id", "outcome"),
        LIST_ENTRY: ("list_name", "word"),
        RAIL: ("rail", "state"),
    }
)
"""Fields that only some kinds have."""

_NEEDED = {SUPPRESSION: (), OVERRIDE: ("account_id", "outcome"), LIST_ENTRY: ("list_name", "word"), RAIL: ("rail", "state")}  # fmt: skip
_TIMED = (SUPPRESSION, OVERRIDE)
_WORDS = {"kind": KINDS, "outcome": OUTCOMES, "rail": CHANNELS, "state": STATES}
_LIST_NAME = re.compile("[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True)
class Control:
    """Fields of schemas/control.avsc, without the signatures. Times are ms since the epoch; `created_at` is by the author's clock, the others by payments'
    event_time. What the kind does not have is None, or False.
    """

    control_id: str
    kind: str
    author: str
    reason: str
    created_at: int
    from_ms: int
    until_ms: int | None = None
    account_id: str | None = None
    rule_id: str | None = None
    reason_code: str | None = None
    blocks: bool = False
    outcome: str | None = None
    list_name: str | None = None
    word: str | None = None
    rail: str | None = None
    state: str | None = None
    withdrawn: bool = False

    @property
    def key(self) -> str:
        """What it is about: the key of its record."""
        about = {
            SUPPRESSION: self.control_id,
            OVERRIDE: self.account_id,
            LIST_ENTRY: f"{self.list_name}/{self.word}",
            RAIL: self.rail,
        }
        return f"{_PREFIXES[self.kind]}/{about[self.kind]}"

    def signed_bytes(self, installation: str) -> bytes:
        """What its signers sign for an installation: all fields, and the installation's app_id."""
        return signed_bytes(CONTROLS, {**asdict(self), "installation": installation})


_PREFIXES = {SUPPRESSION: "suppression", OVERRIDE: "override", LIST_ENTRY: "list", RAIL: "rail"}

FIELDS = tuple(field.name for field in fields(Control))


@dataclass(frozen=True, slots=True)
class Signed:
    """A control and its signatures: (key id, signature), whatever they are worth."""

    control: Control
    signatures: tuple[tuple[str, bytes], ...] = ()

    def value(self, schema_id: int) -> bytes:
        """As a Kafka value."""
        signatures = [{"key_id": name, "signature": signature} for name, signature in self.signatures]
        return write_record(SCHEMA, {**asdict(self.control), "signatures": signatures}, schema_id)


def read_signed(value: bytes) -> Signed:
    """The control in a record's value, checked. Raises `ControlsError`."""
    try:
        read = read_record(SCHEMA, value)
    except ValueError as error:
        raise ControlsError(f"{error}; write it with monitor controls") from None
    signatures = tuple((each["key_id"], each["signature"]) for each in read.pop("signatures"))
    return Signed(checked(Control(**read)), signatures)


def checked(control: Control) -> Control:
    """The control, if it is one. Raises `ControlsError` naming the field, its value and what it must be."""
    for name, words in _WORDS.items():
        value = getattr(control, name)
        if value is not None and value not in words:
            raise _wrong(name, value, f"it is one of {', '.join(words)}")
    _check_texts(control)
    _check_times(control)
    foreign = {name for kind in KINDS for name in _OF_KIND[kind]} - set(_OF_KIND[control.kind])
    for name in sorted(foreign):
        if getattr(control, name):
            raise _wrong(name, getattr(control, name), f"a control of kind {control.kind} has none; leave it out")
    for name in _NEEDED[control.kind]:
        if getattr(control, name) is None:
            raise _wrong(name, None, f"a control of kind {control.kind} needs it")
    if control.kind == SUPPRESSION and not (control.account_id or control.rule_id or control.reason_code):
        raise ControlsError("account_id, rule_id, reason_code: a suppression of everything; name at least one")
    if control.list_name is not None and not _LIST_NAME.fullmatch(control.list_name):
        raise _wrong("list_name", control.list_name, "lists of rules are named with a-z, 0-9 and _")
    return control


def _check_texts(control: Control) -> None:
    try:
        plain = str(UUID(control.control_id)) == control.control_id
    except ValueError:
        plain = False
    if not plain:
        raise _wrong("control_id", control.control_id, "it is a UUID in lower case")
    for name in ("author", "reason", "rule_id", "reason_code"):
        text = getattr(control, name)
        if text is not None and not (text.strip() and text.isprintable() and len(text) <= MAX_CHARACTERS):
            raise _wrong(name, text, f"it is one line of 1 to {MAX_CHARACTERS} characters")
    for name in ("account_id", "word"):  # as payments have them: any text
        text = getattr(control, name)
        if text is not None and not (0 < len(text) <= MAX_CHARACTERS and _is_unicode(text)):
            raise _wrong(name, text, f"it is a text of 1 to {MAX_CHARACTERS} characters that UTF-8 has")


def _is_unicode(text: str) -> bool:
    """JSON can name halves of characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_times(control: Control) -> None:
    times = {"created_at": control.created_at, "from_ms": control.from_ms, "until_ms": control.until_ms}
    for name, time in times.items():
        if time is not None and not 0 <= time < MAX_MS:
            raise _wrong(name, time, "it is milliseconds since 1970, before the year 10000")
    if control.kind not in _TIMED:
        if control.until_ms is not None:
            raise _wrong("until_ms", control.until_ms, f"a control of kind {control.kind} holds until it is withdrawn")
    elif control.until_ms is None or control.until_ms <= control.from_ms:
        raise _wrong("until_ms", control.until_ms, f"it must end, and after from_ms {control.from_ms}")


def _wrong(name: str, value: Any, fix: str) -> ControlsError:
    return ControlsError(f"{name} = {str(value)[:80]!r}: {fix}")
