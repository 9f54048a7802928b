"""The history of what was served: a file of lines, each holding the digest of the one before, so that none is altered or taken out of the middle unseen.

Its end can be cut by who can write the directory: what was served when is proved by the audit trail, whose blocks name their model.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from monitor.errors import ArtifactError
from monitor.line_file import append_line, read_lines
from monitor.sealed import sha256_hex

HISTORY = "history.jsonl"
FIRST = "0" * 64
"""The `previous` of the first line."""

PROMOTED, ROLLED_BACK = "promoted", "rolled back"


@dataclass(frozen=True, slots=True)
class Step:
    """What happened: `action` made `version` (of these bytes: `seal`) the one served, after `before`. `signers`: who approved it."""

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


def add(models_dir: Path, step: Step) -> None:
    """Append it behind the last one; on the disk on return. Raises `ArtifactError` when it cannot be written."""
    path = models_dir / HISTORY
    try:
        append_line(path, lambda before: _after(step, before).line())
    except OSError as error:
        raise ArtifactError(
            f"{path}: cannot be written ({error.strerror}); ask for write access to models_dir"
        ) from None


def _after(step: Step, before: list[bytes]) -> Step:
    return replace(step, previous=sha256_hex(before[-1]) if before else FIRST)


def _lines(path: Path) -> list[bytes]:
    try:
        return read_lines(path)
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read ({error.strerror}); ask for access to models_dir") from None
