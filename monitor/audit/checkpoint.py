"""Signed checkpoints: where every partition's chain stood, chained among themselves. Format: docs/decisions, and docs/audit.md.

What is signed is SIGNED followed by the canonical JSON of the body; the digest that the next checkpoint holds is SHA-256 of those bytes.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from monitor.audit.stored import Anchor
from monitor.errors import ProtocolError
from monitor.keys import key_id

FORMAT = 1

SIGNED = b"monitor audit checkpoint 1\n"
"""In front of what is signed: a signature over anything else can never pass for one of these."""

FIRST = "0" * 64
"""The `previous` of the first checkpoint."""

_FIELDS = {
    "format", "app_id", "topic", "topic_id", "audit_topic", "sequence", "time_ms", "previous", "partitions",
}  # fmt: skip
_PLACE = {"partition": int, "height": int, "last_offset": int, "block_hash": str, "block_offset": int}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One checkpoint; `signatures` are by key id, as hexadecimal. `time_ms` is the signer's clock, an assertion of the signer's."""

    audit_topic: str
    sequence: int
    time_ms: int
    previous: str
    anchors: tuple[Anchor, ...]  # one a partition, ascending
    signatures: Mapping[str, str]

    def body(self) -> dict[str, Any]:
        """What is signed, as JSON."""
        first = self.anchors[0]
        return {
            "format": FORMAT,
            "app_id": first.app_id,
            "topic": first.topic,
            "topic_id": first.topic_id,
            "audit_topic": self.audit_topic,
            "sequence": self.sequence,
            "time_ms": self.time_ms,
            "previous": self.previous,
            "partitions": [
                {**{name: asdict(each)[name] for name in _PLACE}, "block_hash": each.block_hash.hex()}
                for each in self.anchors
            ],
        }

    def signed_bytes(self) -> bytes:
        """What a signature is over."""
        return SIGNED + canonical(self.body())

    def digest(self) -> str:
        """What the next checkpoint holds as `previous`."""
        return sha256(self.signed_bytes()).hexdigest()

    def sign(self, key: Ed25519PrivateKey) -> "Checkpoint":
        """The checkpoint with one signature more."""
        signature = key.sign(self.signed_bytes()).hex()
        return replace(self, signatures={**self.signatures, key_id(key.public_key()): signature})

    def valid_signatures(self, keys: Mapping[str, Ed25519PublicKey]) -> set[str]:
        """Ids of those of `keys` that signed it."""
        return {name for name, key in keys.items() if self._signed_by(name, key)}

    def line(self) -> bytes:
        """As one line of a checkpoint file, without the newline."""
        return canonical({"checkpoint": self.body(), "signatures": dict(self.signatures)})

    def _signed_by(self, name: str, key: Ed25519PublicKey) -> bool:
        try:
            key.verify(bytes.fromhex(self.signatures.get(name, "")), self.signed_bytes())
        except InvalidSignature:
            return False
        return True


def canonical(value: Any) -> bytes:
    """JSON in the one form that is signed: keys sorted, no spaces, ASCII, whole numbers only."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def parse_line(line: bytes) -> Checkpoint:
    """The checkpoint in a line, which must be in canonical form. No signature is looked at. Raises `ProtocolError`."""
    try:
        whole = json.loads(line)
        body, signatures = whole["checkpoint"], whole["signatures"]
        shaped = set(whole) == {"checkpoint", "signatures"} and set(body) == _FIELDS and body["format"] == FORMAT
        shaped = shaped and all(set(each) == set(_PLACE) for each in body["partitions"]) and bool(body["partitions"])
        shaped = shaped and all(re.fullmatch("[0-9a-f]{128}", each) for each in signatures.values())
        names = {name: body[name] for name in ("app_id", "topic", "topic_id")}
        anchors = tuple(
            Anchor(**names, **{**each, "block_hash": bytes.fromhex(each["block_hash"])}) for each in body["partitions"]
        )
        numbers = [each.partition for each in anchors]
        found = Checkpoint(
            body["audit_topic"], body["sequence"], body["time_ms"], body["previous"], anchors, signatures
        )
        good = shaped and numbers == sorted(set(numbers)) and found.line() == line
    except (ValueError, KeyError, TypeError, AttributeError):
        good = False
    if not good:
        raise ProtocolError(
            f"checkpoint {line[:80]!r}...: not a checkpoint of format {FORMAT}; restore the file from a copy"
        )
    return found


def read_chain(lines: Iterable[bytes], keys: Mapping[str, Ed25519PublicKey], signatures: int = 1) -> list[Checkpoint]:
    """The checkpoints in order, each signed by at least `signatures` of `keys`; lines of one checkpoint are taken together.

    Raises `ProtocolError` when one is altered, left out, out of order, signed too little, or takes back what one before attested.
    """
    chain: list[Checkpoint] = []
    for line in lines:
        found = parse_line(line)
        if chain and chain[-1].body() == found.body():  # countersigned
            chain[-1] = replace(found, signatures={**chain[-1].signatures, **found.signatures})
            continue
        _check_follows(found, chain[-1] if chain else None)
        chain.append(found)
    for each in chain:
        if len(valid := each.valid_signatures(keys)) < signatures:
            raise ProtocolError(
                f"checkpoint {each.sequence}: {len(valid)} valid signatures of the {len(keys)} keys given, {signatures} are "
                "needed; it was altered, or signed with other keys"
            )
    return chain


def anchors_of(chain: Sequence[Checkpoint]) -> dict[int, list[Anchor]]:
    """What all the checkpoints attest, by partition, lowest height first, each height once."""
    found: dict[int, dict[int, Anchor]] = {}
    for checkpoint in chain:
        for anchor in checkpoint.anchors:
            found.setdefault(anchor.partition, {})[anchor.height] = anchor
    return {partition: list(by_height.values()) for partition, by_height in found.items()}


def _check_follows(found: Checkpoint, before: Checkpoint | None) -> None:
    problem = None
    if before is None:
        if (found.sequence == 0) != (found.previous == FIRST):
            problem = f"sequence {found.sequence} with previous {found.previous}"
    elif (found.sequence, found.previous) != (before.sequence + 1, before.digest()):
        problem = f"does not follow checkpoint {before.sequence}: one was left out, altered or signed twice"
    else:
        problem = _taken_back(found, before)
    if problem is not None:
        raise ProtocolError(f"checkpoint {found.sequence}: {problem}; restore the checkpoints from a copy")


def _taken_back(found: Checkpoint, before: Checkpoint) -> str | None:
    """What of `before` the checkpoint contradicts."""
    for name in ("audit_topic", "app_id", "topic", "topic_id"):
        if found.body()[name] != before.body()[name]:
            return f"{name} is {found.body()[name]!r}, it was {before.body()[name]!r}"
    now = {each.partition: each for each in found.anchors}
    for anchor in before.anchors:
        later = now.get(anchor.partition)
        if later is None or later.height < anchor.height:
            return (
                f"partition {anchor.partition} was at block {anchor.height}, now {later.height if later else 'absent'}"
            )
        if later.height == anchor.height and later.block_hash != anchor.block_hash:
            return f"partition {anchor.partition}: two hashes for block {anchor.height}"
    return None
