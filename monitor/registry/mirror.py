"""A registry somewhere else (`s3://`, `gs://`, `file://`: whatever fsspec knows), and how versions get there and back.

An object store renames nothing whole and locks nothing, so workers serve from a disk of their own, and copies go in an order that leaves every
moment in between usable: versions first, their sums last of all their files; then evaluations and approvals; then the history; then the
pointers. What is pulled is checked against its sums before it gets its name, and nothing in it is believed: who may be served is
still decided by the worker's own keys. A version that differs from one of its name is refused on both sides. One writer at a time.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec

from monitor.errors import ArtifactError
from monitor.registry.history import HISTORY
from monitor.sealed import (
    RESERVED,
    SUMS,
    check_digest,
    check_whole,
    checked_name,
    digests_of,
    read_bounded,
    sums_of,
    write_durably,
    write_sealed,
)

MAX_FILE_BYTES = 1 << 30
"""Of one file of a version."""

MAX_RECORD_BYTES = 16 << 20
"""Of an approval, an evaluation, the history, a pointer."""

_RECORD = re.compile(r"(evaluations/[A-Za-z0-9._-]+|approvals/[A-Za-z0-9._-]+/[0-9a-f]{64})\.json")
"""Files beside versions that are copied; others are left where they are."""

_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Copied:
    """What was not there before: names of `versions`, and how many `records` (approvals, evaluations, the history, pointers) changed."""

    versions: tuple[str, ...]
    records: int


class Mirror:
    """The files under a URL. Raises `ArtifactError` for what fsspec cannot reach."""

    def __init__(self, url: str) -> None:
        self._url = url
        with self._reaching(""):
            self._fs, self._root = fsspec.core.url_to_fs(url)

    def names(self) -> set[str]:
        """All files, as paths below the URL."""
        with self._reaching(""):
            self._fs.invalidate_cache()
            found = self._fs.find(self._root) if self._fs.exists(self._root) else []
        return {path[len(self._root) :].lstrip("/") for path in found}

    def read(self, name: str, most: int) -> bytes:
        """A file's bytes, at most so many."""
        with self._reaching(name), self._fs.open(f"{self._root}/{name}", "rb") as file:
            content: bytes = file.read(most + 1)
        if len(content) > most:
            raise ArtifactError(f"{self._url}/{name}: larger than {most} bytes; restore it")
        return content

    def write(self, name: str, content: bytes) -> None:
        """Make `content` the file's."""
        path = f"{self._root}/{name}"
        with self._reaching(name):
            self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._fs.pipe_file(path, content)

    def remove(self, name: str) -> None:
        """There is no such file from now on."""
        with self._reaching(name):
            self._fs.rm_file(f"{self._root}/{name}")

    @contextmanager
    def _reaching(self, name: str) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError, ImportError) as error:
            raise ArtifactError(
                f"{self._url}: {name or 'not reached'}: {error}; check the URL, its credentials, and that its fsspec package is installed"
            ) from None


def push(directory: Path, mirror: Mirror) -> Copied:
    """Copy what is new in `directory` to the mirror. Raises `ArtifactError`; what was copied before it is whole."""
    there = mirror.names()
    copied = []
    for path in sorted(directory.glob(f"[!.]*/{SUMS}")):
        version = path.parent.name
        check_whole(path.parent)
        sums = read_bounded(path, MAX_RECORD_BYTES)
        if f"{version}/{SUMS}" in there:
            _same(version, sums, mirror.read(f"{version}/{SUMS}", MAX_RECORD_BYTES))
            continue
        for name in digests_of(sums):
            mirror.write(f"{version}/{name}", read_bounded(path.parent / name, MAX_FILE_BYTES))
        mirror.write(f"{version}/{SUMS}", sums)
        copied.append(version)
    here = {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}
    records = 0
    for name in _records(here):
        content = read_bounded(directory / name, MAX_RECORD_BYTES)
        before = mirror.read(name, MAX_RECORD_BYTES) if name in there else None
        if name == HISTORY:
            _continues(before or b"", content)
        if content != before:
            mirror.write(name, content)
            records += 1
    for name in (set(RESERVED) & there) - here:
        mirror.remove(name)
        records += 1
    return Copied(tuple(copied), records)


def pull(mirror: Mirror, directory: Path) -> Copied:
    """Copy what is new on the mirror to `directory`. Raises `ArtifactError`; what was copied before it is whole."""
    there = mirror.names()
    copied = []
    for version in sorted(name.partition("/")[0] for name in there if re.fullmatch(f"[^/.][^/]*/{SUMS}", name)):
        sums = mirror.read(f"{checked_name(version)}/{SUMS}", MAX_RECORD_BYTES)
        if (directory / version / SUMS).exists():
            _same(version, read_bounded(directory / version / SUMS, MAX_RECORD_BYTES), sums)
            continue
        write_sealed(directory / version, _contents(mirror, version, sums))
        copied.append(version)
    records = 0
    for name in _records(there):
        content, path = mirror.read(name, MAX_RECORD_BYTES), directory / name
        before = read_bounded(path, MAX_RECORD_BYTES) if path.exists() else None
        if name == HISTORY:
            _continues(before or b"", content)
        if content != before:
            _replace(path, content)
            records += 1
    for name in RESERVED:
        if name not in there and (directory / name).exists():
            (directory / name).unlink()
            records += 1
    return Copied(tuple(copied), records)


def _contents(mirror: Mirror, version: str, sums: bytes) -> dict[str, bytes]:
    """The version's files by name, each what its digest says."""
    digests = digests_of(sums)
    if sums_of(digests) != sums or not digests or not all(map(_FILE.fullmatch, digests)):
        raise ArtifactError(f"{version}/{SUMS}: not written by this program; push the version again")
    contents = {}
    for name, digest in digests.items():
        contents[name] = mirror.read(f"{version}/{name}", MAX_FILE_BYTES)
        check_digest(Path(version) / name, contents[name], digest, SUMS)
    return contents


def _records(names: set[str]) -> list[str]:
    """Those that are copied as they are, in the order that leaves every moment usable."""
    kept = sorted(name for name in names if _RECORD.fullmatch(name))
    return [*kept, *(name for name in (HISTORY, *RESERVED) if name in names)]


def _same(version: str, ours: bytes, theirs: bytes) -> None:
    if ours != theirs:
        raise ArtifactError(
            f"{version}: other bytes here than on the mirror, and a version never changes; give one another name"
        )


def _continues(before: bytes, after: bytes) -> None:
    if not after.startswith(before):
        raise ArtifactError(
            f"{HISTORY}: here and on the mirror it went on differently: compare the two, and keep the one that is true"
        )


def _replace(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        waiting: Any = path.with_name(f".{path.name}.new")
        write_durably(waiting, content)
        waiting.replace(path)
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be written ({error.strerror}); ask for access to models_dir") from None
