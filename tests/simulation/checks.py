"""What a history must have left behind, whatever happened in it: exactly what one quiet pass leaves."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from monitor.effects.alerts import alert_schema
from monitor.effects.audit import Position, position_of
from monitor.effects.message import Message
from monitor.errors import ProtocolError
from tests.simulation.broker import Entry
from tests.simulation.known import block_of, prove
from tests.simulation.streams import settings, still_known

if TYPE_CHECKING:
    from tests.simulation.history import Installation

Mark = tuple[int, int]
"""(partition, place in the order of that partition)."""

TIME_BYTES = 6
"""`detected_at` in an alert, which depends on when it was decided."""


def problems_of(installation: "Installation") -> list[str]:
    """In words; none when all is well."""
    found: list[str] = []
    for partition in range(len(installation.source.partitions)):
        found += _audit_problems(installation, partition)
        found += _state_problems(installation, partition)
    expected = installation.source.expected
    found += _once(
        "alerts",
        {_alert(each): (at, place) for at, part in enumerate(expected) for place, each in enumerate(part.alerts)},
        [_alert(entry) for entry in installation.broker.log(settings().topic_alerts, 0).committed()],
    )
    found += _once(
        "dead letters",
        {_letter(each): (at, place) for at, part in enumerate(expected) for place, each in enumerate(part.letters)},
        [_letter(entry) for entry in installation.broker.log(settings().topic_dlq, 0).committed()],
    )
    return found


def _audit_problems(installation: "Installation", partition: int) -> Iterator[str]:
    """Every record decided once, in order and as expected, and the chain of blocks whole."""
    blocks = [
        block_of(entry.value or b"") for entry in installation.broker.log(settings().topic_audit, partition).committed()
    ]
    decisions = b"".join(block.decisions.tobytes() for block in blocks)
    expected = installation.source.expected[partition].decisions
    if decisions != expected:
        offsets = [offset for block in blocks for offset in block.decisions["offset"].tolist()]
        yield f"partition {partition}: {len(offsets)} decisions, {len(set(offsets))} offsets; they are not those expected"
    previous: Position | None = None
    for block in blocks:
        try:
            prove(block, previous)
        except ProtocolError as error:
            yield str(error)
        previous = position_of(block)


def _state_problems(installation: "Installation", partition: int) -> Iterator[str]:
    log = installation.broker.log(settings().changelog_topic, partition)
    expected = installation.source.expected[partition]
    state = still_known(log.committed(), expected.watermark_ms)
    differing = sorted(key for key in state.keys() | expected.state.keys() if state.get(key) != expected.state.get(key))
    if differing:
        yield f"partition {partition}: the state of {len(differing)} accounts differs, such as {differing[0]!r}"


def _once(what: str, expected: dict[tuple[object, ...], Mark], found: list[tuple[object, ...]]) -> Iterator[str]:
    """All of them, each once, and those of a partition in its order."""
    marks = [expected.get(each) for each in found]
    unknown = sum(mark is None for mark in marks)
    if unknown:
        yield f"{unknown} {what} that nobody expected"
    known = [mark for mark in marks if mark is not None]
    if len(set(known)) < len(known):
        yield f"{len(known) - len(set(known))} {what} twice"
    if lost := len(expected) - len(set(known)):
        yield f"{lost} of {len(expected)} {what} lost"
    newest: dict[int, int] = {}
    for partition, place in known:
        if place < newest.setdefault(partition, place):
            yield f"{what} of partition {partition} out of order"
            return
        newest[partition] = place


def _alert(message: Message | Entry) -> tuple[object, ...]:
    """All of an alert but the time of its detection, in the value and in a header."""
    value = message.value or b""
    headers = tuple(each for each in message.headers if each[0] != "ce_time")
    at = _detected_at(value)
    return message.key, value[:at], value[at + TIME_BYTES :], headers


def _letter(message: Message | Entry) -> tuple[object, ...]:
    return message.key, message.value, tuple(message.headers)


def _detected_at(value: bytes) -> int:
    """Where it stands in an alert's Avro: behind the frame, three strings and the event time."""
    names = [field["name"] for field in alert_schema()["fields"]]
    assert names[:5] == ["alert_id", "transaction_id", "account_id", "event_time", "detected_at"]
    at = 5
    for _ in range(3):
        length, at = _zigzag(value, at)
        at += length
    return _zigzag(value, at)[1]


def _zigzag(value: bytes, at: int) -> tuple[int, int]:
    number, shift = 0, 0
    while True:
        byte = value[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number >> 1, at
