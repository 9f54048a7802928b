"""The history of what was served: a file of lines, each holding the digest of the one before, so that nothing is taken out unseen."""

import fcntl
import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from monitor.errors import ArtifactError
from monitor.sealed import sha256_hex

HISTORY = "history.jsonl"
FIRST = "0" * 64
"""The `previous` of the first line."""

PROMOTED, ROLLED_BACK, CANDIDATE = "promoted", "rolled back", "candidate"


@dataclass(frozen=True, slots=True)
class Step:
    """What happened: `action` made `version` (of these bytes: `seal`) the one served, after `before`. `signers`: key ids of its approvals."""

    action: str
    version: str
    seal: str
    before: str
    who: str
    why: str
    signers: tuple[str, ...]
    time_ms: int
    previous: str = FIRST

    def line(self) -> bytes:
        """As it stands in the file, without the newline."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode()


def steps(models_dir: Path) -> list[Step]:
    """All of them, in order. Raises `ArtifactError` when a line was altered or taken out."""
    path = models_dir / HISTORY
    found: list[Step] = []
    previous = FIRST
    for number, line in enumerate(_lines(path), 1):
        try:
            entry = json.loads(line)
            step = Step(**{**entry, "signers": tuple(entry["signers"])})
        except (ValueError, KeyError, TypeError) as error:
            raise ArtifactError(f"{path}: line {number}: not a step ({error}); restore the file") from None
        if step.previous != previous:
            raise ArtifactError(f"{path}: line {number} does not follow the one before; restore the file")
        previous = sha256_hex(line)
        found.append(step)
    return found


def add(models_dir: Path, step: Step) -> Step:
    """Append it behind the last one; on the disk on return."""
    path = models_dir / HISTORY
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        before = _lines(path)
        made = replace(step, previous=sha256_hex(before[-1]) if before else FIRST)
        file.write(made.line() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return made


def _lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read ({error.strerror}); ask for access to models_dir") from None
