"""A directory of versions, each a sealed directory (`monitor/sealed.py`), and beside them the pointers: files of one line that name one."""

from pathlib import Path

from monitor.sealed import checked_name, open_sealed, read_bounded, write_durably

CURRENT, CANDIDATE = "current", "candidate"
"""What is served, and what is only watched; no version can have these names (`monitor.sealed.RESERVED`)."""


def seal_of(directory: Path, version: str) -> str:
    """What stands for every byte of the version. Raises `ArtifactError`."""
    return open_sealed(directory / checked_name(version)).seal


def current_version(directory: Path, pointer: str = CURRENT) -> str:
    """The version that `directory/current` (or `candidate`) names. Raises `ArtifactError`."""
    path = directory / pointer
    return checked_name(read_bounded(path, 1024).decode("ascii", "replace").strip(), str(path))


def set_pointer(directory: Path, pointer: str, version: str) -> None:
    """Make `current` or `candidate` name the version; a reader sees the old line or the new one."""
    waiting = directory / f".{pointer}.new"
    write_durably(waiting, f"{version}\n".encode())
    waiting.replace(directory / pointer)
