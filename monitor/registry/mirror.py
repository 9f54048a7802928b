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
    is_name,
    read_bounded,
    read_json,
    sums_of,
    write_durably,
    write_sealed,
)
from monitor.versions import CANDIDATE, CURRENT

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
        self.url = url
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
            raise ArtifactError(f"{self.url}/{name}: larger than {most} bytes; restore it")
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
        except Exception as error:  # backends raise what their clouds raise: all of it means not reached
            raise ArtifactError(
                f"{self.url}: {name or 'not reached'}: {error}; check the URL, its credentials, and that its fsspec package is installed"
            ) from None


def push(directory: Path, mirror: Mirror) -> Copied:
    """Copy what is new in `directory` to the mirror. Raises `ArtifactError`; what was copied before it is whole."""
    there = mirror.names()
    here = {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}
    _check_history(
        read_bounded(directory / HISTORY, MAX_RECORD_BYTES) if HISTORY in here else b"",
        mirror.read(HISTORY, MAX_RECORD_BYTES) if HISTORY in there else b"",
    )
    copied = []
    for version in _versions(here):
        check_whole(directory / version)
        sums = read_bounded(directory / version / SUMS, MAX_RECORD_BYTES)
        if f"{version}/{SUMS}" in there:
            _same(version, sums, mirror.read(f"{version}/{SUMS}", MAX_RECORD_BYTES))
            continue
        for name in digests_of(sums):
            mirror.write(f"{version}/{name}", read_bounded(directory / version / name, MAX_FILE_BYTES))
        mirror.write(f"{version}/{SUMS}", sums)
        copied.append(version)
    records = 0
    for name in _records(here):
        content = _finished(name, read_bounded(directory / name, MAX_RECORD_BYTES))
        before = mirror.read(name, MAX_RECORD_BYTES) if name in there else None
        if content != before and not _older(name, content, before):
            mirror.write(name, content)
            records += 1
    if CANDIDATE in there - here and CURRENT in here:
        mirror.remove(CANDIDATE)
        records += 1
    return Copied(tuple(copied), records)


def pull(mirror: Mirror, directory: Path) -> Copied:
    """Copy what is new on the mirror to `directory`. Raises `ArtifactError`; what was copied before it is whole.

    Pointers and records are read before the versions are listed: a push meanwhile adds versions that nothing names yet.
    """
    first = mirror.names()
    records = {name: mirror.read(name, MAX_RECORD_BYTES) for name in _records(first)}
    there = mirror.names()
    if not _versions(there):
        raise ArtifactError(f"{mirror.url}: no version of anything; check the URL")
    path = directory / HISTORY
    _check_history(records.get(HISTORY, b""), read_bounded(path, MAX_RECORD_BYTES) if path.exists() else b"")
    copied = []
    for version in _versions(there):
        sums = mirror.read(f"{version}/{SUMS}", MAX_RECORD_BYTES)
        if (directory / version / SUMS).exists():
            _same(version, read_bounded(directory / version / SUMS, MAX_RECORD_BYTES), sums)
            continue
        write_sealed(directory / version, _contents(mirror, version, sums))
        copied.append(version)
    changed = 0
    for name, content in records.items():
        changed += _taken(directory, name, _finished(name, content))
    if CANDIDATE not in records and CURRENT in records and (directory / CANDIDATE).exists():
        (directory / CANDIDATE).unlink()
        changed += 1
    return Copied(tuple(copied), changed)


def _taken(directory: Path, name: str, content: bytes) -> bool:
    """Write a record that was pulled, unless it is there already; whether it was written."""
    path = directory / name
    before = read_bounded(path, MAX_RECORD_BYTES) if path.exists() else None
    if content == before or _older(name, content, before):
        return False
    if name in RESERVED:
        version = checked_name(content.decode("ascii", "replace").strip(), name)
        if not (directory / version / SUMS).exists():
            raise ArtifactError(f"{name}: names {version}, which the mirror does not have; pull again")
    _replace(path, content)
    return True


def _versions(names: set[str]) -> list[str]:
    """Of the files those that are the sums of a version; directories that no version can be called are left alone."""
    found = (name.removesuffix(f"/{SUMS}") for name in names if name.endswith(f"/{SUMS}"))
    return sorted(version for version in found if is_name(version))


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


def _check_history(new: bytes, old: bytes) -> None:
    """Raise `ArtifactError` unless the finished lines of `old` are those that `new` begins with: who copies must know all that was done."""
    if not _finished(HISTORY, new).startswith(_finished(HISTORY, old)):
        raise ArtifactError(
            f"{HISTORY}: here and on the mirror it went on differently, or what is copied is the older one: pull before you push"
        )


def _finished(name: str, content: bytes) -> bytes:
    """A history without a line that was cut off."""
    return content[: content.rfind(b"\n") + 1] if name == HISTORY else content


def _older(name: str, content: bytes, before: bytes | None) -> bool:
    """Whether an approval is older than the one it would replace."""
    if before is None or not name.startswith("approvals/"):
        return False
    times = []
    for each in (content, before):
        try:
            times.append(int(read_json(each, Path(name))["approval"]["time_ms"]))
        except (ArtifactError, KeyError, TypeError, ValueError):
            times.append(-1)
    return times[0] < times[1]


def _replace(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        waiting: Any = path.with_name(f".{path.name}.new")
        write_durably(waiting, content)
        waiting.replace(path)
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be written ({error.strerror}); ask for access to models_dir") from None
