"""The ids of alerts: equal whenever the same source record is decided, so that a consumer can tell an alert it has seen."""

import uuid
from collections.abc import Sequence
from hashlib import sha1

import numpy as np

ALERT_NAMESPACE = uuid.UUID("6f0d5a0e-3c1b-5f6e-9a57-0e6b1f1c2d43")
"""Of all alert ids, UUIDv5. Chosen once; with another, every alert would be a new one to its consumers."""

ID_BYTES = 36
"""Of a UUID as text."""

_UUID_BYTES, _HYPHENS = 16, (8, 13, 18, 23)
_DIGITS = np.setdiff1d(np.arange(ID_BYTES), _HYPHENS)
_HYPHEN = ord("-")

_VERSION = bytes(byte & 0x0F | 0x50 for byte in range(256))
_VARIANT = bytes(byte & 0x3F | 0x80 for byte in range(256))
"""What bytes 6 and 8 of the digest become in a UUIDv5 (RFC 9562, 5.5)."""


def alert_id(topic_id: str, partition: int, offset: int) -> str:
    """The id of the alert about one source record."""
    return alert_ids(topic_id, partition, [offset]).decode()


def alert_ids(topic_id: str, partition: int, offsets: Sequence[int]) -> bytes:
    """The ids of the alerts about records of one partition, `ID_BYTES` each, one after the other.

    Each is the UUIDv5 of `ALERT_NAMESPACE` and the three, as `uuid.uuid5` makes it in six times the time.
    """
    begun = sha1(ALERT_NAMESPACE.bytes + f"{topic_id}/{partition}/".encode(), usedforsecurity=False)
    digests = []
    for offset in offsets:
        named = begun.copy()
        named.update(b"%d" % offset)
        digests.append(named.digest()[:_UUID_BYTES])
    numbers = bytearray(b"".join(digests))
    numbers[6::_UUID_BYTES] = numbers[6::_UUID_BYTES].translate(_VERSION)
    numbers[8::_UUID_BYTES] = numbers[8::_UUID_BYTES].translate(_VARIANT)
    texts = np.full((len(offsets), ID_BYTES), _HYPHEN, np.uint8)
    texts[:, _DIGITS] = np.frombuffer(numbers.hex().encode(), np.uint8).reshape(len(offsets), len(_DIGITS))
    return texts.tobytes()
