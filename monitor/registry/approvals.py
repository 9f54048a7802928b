"""Approvals: people put their keys to a version of a model, or to a snapshot of risk. A policy says how many different ones it takes.

An approval is a file of its own, `approvals/<version>/<key id>.json`: so several people approve one version without waiting for each other.
It names the version's seal, which stands for every byte of it (`monitor/sealed.py`), and the evaluation it rests on. What is signed is `SIGNED`
followed by the canonical JSON of the body. Nothing in it is believed but what a trusted key signed.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from monitor.errors import ArtifactError, SettingsError
from monitor.keys import key_id, load_public
from monitor.sealed import checked_name, read_bounded, read_json, write_durably

APPROVALS = "approvals"
MODEL, RISK, RULES = "model", "risk", "rules"
"""Kinds of what is approved: the one never passes for the other."""

CONTROLS = "controls"
"""What people decide by hand (`monitor/controls/`) is signed the same way; a record carries its own signatures."""

SIGNED = "monitor {kind} approval 1\n"
"""In front of what is signed: a signature over anything else can never pass for one of these."""

MAX_BYTES = 1 << 16

_COMMANDS = {MODEL: "models approve", RISK: "risk sign", RULES: "rules approve"}

_KEY_ID = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Approval:
    """`who` holds the key says that `version`, whose bytes are `seal` and whose evaluation is `evaluation` (both hex SHA-256), may be served, and `why`.

    `time_ms` is the signer's clock, an assertion of the signer's. A snapshot of risk has no evaluation: an empty text.
    """

    version: str
    seal: str
    evaluation: str
    who: str
    why: str
    time_ms: int
    kind: str = MODEL

    def signed_bytes(self) -> bytes:
        """What is signed."""
        return signed_bytes(self.kind, asdict(self))


@dataclass(frozen=True, slots=True)
class Policy:
    """Whose approval counts, and how many different ones a version needs. No `signers`: nobody is asked, which is for trying things out."""

    signers: Mapping[str, Ed25519PublicKey]
    needed: int
    kind: str = MODEL

    @classmethod
    def of(cls, paths: Sequence[Path], needed: int, kind: str = MODEL) -> "Policy":
        """Of public keys in files. Raises `SettingsError`, also when there are fewer keys than are needed."""
        signers = load_public(paths)
        if signers and not 1 <= needed <= len(signers):
            raise SettingsError(
                f"{kind}_approvals {needed}: with {len(signers)} different keys in {kind}_signers it must be 1 to {len(signers)}"
            )
        return cls(signers, needed, kind)

    def check(self, models_dir: Path, version: str, seal: str) -> list[Approval]:
        """The valid approvals of the version, one a signer. Raises `ArtifactError` when they are fewer than needed."""
        if not self.signers:
            return []
        valid = [
            approval
            for name, approval, signature in _stored(models_dir, version)
            if (approval.kind, approval.version, approval.seal) == (self.kind, version, seal)
            and self.signed_by(approval.signed_bytes(), [(name, signature)])
        ]
        if len(valid) < self.needed:
            raise ArtifactError(
                f"{models_dir / version}: {len(valid)} valid approvals of the {self.needed} needed; "
                f"have it approved: monitor {_COMMANDS[self.kind]}"
            )
        return valid

    def signed_by(self, message: bytes, signatures: Iterable[tuple[str, bytes]]) -> set[str]:
        """Key ids of those signers whose signature of `message` is among the `signatures`: (key id, signature)."""
        return {
            name
            for name, signature in signatures
            if name in self.signers and _holds(self.signers[name], message, signature)
        }


def signed_bytes(kind: str, body: Mapping[str, object]) -> bytes:
    """What is signed of a body: `SIGNED` of its kind, then its canonical JSON."""
    return SIGNED.format(kind=kind).encode() + json.dumps(body, sort_keys=True, separators=(",", ":")).encode()


def approve(models_dir: Path, approval: Approval, key: Ed25519PrivateKey) -> Path:
    """Sign and store it; one before of the same key and version is replaced."""
    name = key_id(key.public_key())
    path = _directory(models_dir, approval.version) / f"{name}.json"
    entry = {"approval": asdict(approval), "signature": key.sign(approval.signed_bytes()).hex()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        waiting = path.with_suffix(".new")
        write_durably(waiting, (json.dumps(entry, indent=1) + "\n").encode())
        waiting.replace(path)
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be written ({error.strerror}); ask for access to models_dir") from None
    return path


def approvers(models_dir: Path, version: str) -> list[str]:
    """Of each file of an approval the key it is named for and when it was written; nothing is checked. Another list: look again."""
    return sorted(f"{path.stem} {path.stat().st_mtime_ns}" for path in _directory(models_dir, version).glob("*.json"))


def _stored(models_dir: Path, version: str) -> list[tuple[str, Approval, bytes]]:
    """(key id, approval, signature) of each file that has the form of one; others count for nothing."""
    directory = _directory(models_dir, version)
    if not directory.is_dir():
        return []
    found = []
    for path in sorted(directory.glob("*.json")):
        try:
            entry = read_json(read_bounded(path, MAX_BYTES), path)
            approval, signature = Approval(**entry["approval"]), bytes.fromhex(entry["signature"])
        except (ArtifactError, ValueError, KeyError, TypeError):
            continue
        if _KEY_ID.fullmatch(path.stem):
            found.append((path.stem, approval, signature))
    return found


def _holds(key: Ed25519PublicKey, message: bytes, signature: bytes) -> bool:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _directory(models_dir: Path, version: str) -> Path:
    return models_dir / APPROVALS / checked_name(version)
