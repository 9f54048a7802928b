"""Evaluations on record: what a version was measured on, against which champion, and whether it passed. A version without one is never promoted."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from monitor.errors import ArtifactError
from monitor.sealed import checked_name, read_bounded, read_json, sha256_hex, write_durably

EVALUATIONS = "evaluations"
MAX_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`version`, whose bytes are `seal`, was measured on payments of digest `data_sha256`; `against`: the champion's version, empty for none.

    `failed`: why it did not pass, empty when it did. `figures`: all that was measured, as JSON.
    """

    version: str
    seal: str
    data_sha256: str
    against: str
    failed: tuple[str, ...]
    figures: Mapping[str, Any]

    @property
    def passed(self) -> bool:
        """Whether nothing speaks against serving it."""
        return not self.failed


def record(models_dir: Path, evaluation: Evaluation) -> tuple[Path, str]:
    """Write it; the path and its SHA-256, which approvals name. A later evaluation of the version replaces it, and with it their basis."""
    path = models_dir / EVALUATIONS / f"{checked_name(evaluation.version)}.json"
    content = (json.dumps(asdict(evaluation), indent=1, sort_keys=True) + "\n").encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        waiting = path.with_suffix(".new")
        write_durably(waiting, content)
        waiting.replace(path)
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be written ({error.strerror}); ask for access to models_dir") from None
    return path, sha256_hex(content)


def recorded(models_dir: Path, version: str, seal: str) -> tuple[Evaluation, str]:
    """The evaluation of these very bytes, and its SHA-256. Raises `ArtifactError` when there is none."""
    path = models_dir / EVALUATIONS / f"{checked_name(version)}.json"
    if not path.exists():
        raise ArtifactError(
            f"{path}: no evaluation of {version} on record; monitor evaluate --model {version} --record"
        )
    content = read_bounded(path, MAX_BYTES)
    entry = read_json(content, path)
    try:
        found = Evaluation(**{**entry, "failed": tuple(entry["failed"])})
    except (KeyError, TypeError) as error:
        raise ArtifactError(f"{path}: not an evaluation ({error}); evaluate {version} again") from None
    if (found.version, found.seal) != (version, seal):
        raise ArtifactError(f"{path}: of other bytes than {version} has now; evaluate it again")
    return found, sha256_hex(content)
