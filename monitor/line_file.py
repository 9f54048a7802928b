"""A file of lines that only grows, and that a crash at any moment leaves readable.

A line counts once its newline is on the disk: what follows the last newline was never finished, is not read, and the next append writes over it.
Writers take turns by a lock on the file. Raises `OSError` as it comes: who owns the file knows what to advise.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def read_lines(path: Path) -> list[bytes]:
    """All of the finished lines, without newlines; none when there is no file."""
    try:
        return path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []


def append_line(path: Path, line_after: Callable[[list[bytes]], bytes]) -> None:
    """Write `line_after(the lines before)` behind them; on the disk on return. Nobody else writes between the reading and the writing."""
    with _locked(path) as descriptor:
        before = read_lines(path)
        whole = sum(len(each) + 1 for each in before)
        line = line_after(before)
        os.ftruncate(descriptor, whole)
        os.lseek(descriptor, whole, os.SEEK_SET)
        with os.fdopen(os.dup(descriptor), "wb") as out:
            out.write(line + b"\n")
            out.flush()
            os.fsync(out.fileno())
    _sync_directory(path.parent)


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
