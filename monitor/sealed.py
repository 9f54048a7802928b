"""Directories that are written once, whole or not at all, and checked when they are read: model versions, snapshots of risk.

`SHA256SUMS` names the digest of every file beside it; `sha256sum -c` checks it too. Its own digest is the *seal* of the
directory: 64 hex digits that stand for every byte in it, which is what people sign (`monitor/registry/approvals.py`). A digest shows damage, not
malice: who can write the directory can write its sums, but not another's signature.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor.errors import ArtifactError

SUMS = "SHA256SUMS"
MAX_SUMS_BYTES = 1 << 16

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed directory whose sums have been read, once: `digests` by file name, `seal` hex SHA-256 of the sums."""

    directory: Path
    digests: Mapping[str, str]
    seal: str

    def read(self, name: str, most: int) -> bytes:
        """A file's bytes. Raises `ArtifactError` when it is missing, larger than `most`, or not what its digest says."""
        content = read_bounded(self.directory / name, most)
        check_digest(self.directory / name, content, self.digests.get(name), SUMS)
        return content


def write_sealed(directory: Path, contents: Mapping[str, bytes]) -> Path:
    """Write the files and their sums as `directory`, whole or not at all. Raises `ArtifactError` when it exists: what is sealed never changes."""
    if directory.exists():
        raise ArtifactError(f"{directory}: exists already, and a version never changes; choose another --version")
    sums = sums_of({name: sha256_hex(content) for name, content in contents.items()})
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        waiting = Path(tempfile.mkdtemp(prefix=".new-", dir=directory.parent))
    except OSError as error:
        raise _unwritable(directory, error) from None
    try:
        waiting.chmod(0o755)
        for name, content in {**contents, SUMS: sums}.items():
            write_durably(waiting / name, content)
        waiting.rename(directory)
    except OSError as error:
        shutil.rmtree(waiting, ignore_errors=True)
        raise _unwritable(directory, error) from None
    return directory


def open_sealed(directory: Path) -> Sealed:
    """The directory, its sums read. Raises `ArtifactError`."""
    sums = read_bounded(directory / SUMS, MAX_SUMS_BYTES)
    return Sealed(directory, digests_of(sums), sha256_hex(sums))


def sums_of(digests: Mapping[str, str]) -> bytes:
    """The content of `SUMS` for hex digests by file name."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())).encode()


def digests_of(sums: bytes) -> dict[str, str]:
    """Hex digests by file name, of the content of `SUMS`."""
    lines = sums.decode("ascii", "replace").splitlines()
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def check_whole(directory: Path) -> str:
    """The seal, once every file has been read and is what its digest says, and no other lies there. Raises `ArtifactError`."""
    sealed = open_sealed(directory)
    found = {path.name for path in directory.iterdir()} - {SUMS}
    if found != set(sealed.digests):
        odd = ", ".join(sorted(found ^ set(sealed.digests)))
        raise ArtifactError(f"{directory}: {odd}: in {SUMS} or in the directory, not in both; restore the directory")
    for name in sealed.digests:
        sealed.read(name, (directory / name).stat().st_size)
    return sealed.seal


def read_bounded(path: Path, most: int) -> bytes:
    """The file's bytes. Raises `ArtifactError` when it is missing, unreadable or larger than `most`."""
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise ArtifactError(
            f"{path}: cannot be read ({error.strerror}); restore the file, or choose another version"
        ) from None
    if len(content) > most:
        raise ArtifactError(f"{path}: larger than {most} bytes; restore the file, or choose another version")
    return content


def read_json(content: bytes, path: Path) -> dict[str, Any]:
    """The JSON object in the bytes of `path`. Raises `ArtifactError` for what is none, however deep it is nested."""
    try:
        read = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{path}: not JSON ({error}); restore the file") from None
    if not isinstance(read, dict):
        raise ArtifactError(f"{path}: not a JSON object; restore the file")
    return read


def check_digest(path: Path, content: bytes, expected: str | None, source: str) -> None:
    """Raise `ArtifactError` unless the content of `path` has the SHA-256 that `source` says."""
    found = sha256_hex(content)
    if found != expected:
        raise ArtifactError(
            f"{path}: SHA-256 {found} is not the {expected} of {source}: the file was altered; restore it"
        )


def is_name(version: str) -> bool:
    """Whether it can be the name of a directory of ours."""
    return _NAME.fullmatch(version) is not None and version not in RESERVED


def checked_name(version: str, where: str = "version") -> str:
    """`version`, if it can be the name of a directory. Raises `ArtifactError`."""
    if not is_name(version):
        raise ArtifactError(f"{where}: {version!r} is no version; use letters, digits, dots and dashes, at most 64")
    return version


RESERVED = ("current", "candidate")
"""Names beside versions that name one."""


def write_durably(path: Path, content: bytes) -> None:
    """Write a file that is on the disk when this returns."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sha256_hex(content: bytes) -> str:
    """Hex SHA-256."""
    return hashlib.sha256(content).hexdigest()


def _unwritable(directory: Path, error: OSError) -> ArtifactError:
    return ArtifactError(f"{directory}: cannot be written ({error.strerror}); make room, or choose another --out")
