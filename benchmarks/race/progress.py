"""How far a peer is: two int64 in a file that both sides map. The peer writes without a system call, the race reads without asking."""

import mmap
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

from monitor.embedded.process import Process

_DONE, _COUNTS = slice(0, 8), slice(8, 16)
BYTES = 16


class Progress:
    """`done` records, and whether they count already: a JVM warms up first."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(BYTES))
        with path.open("r+b") as file:
            self._file = mmap.mmap(file.fileno(), BYTES)
        self._done = 0

    def add(self, records: int = 1) -> None:
        self._done += records
        self._file[_DONE] = struct.pack("<q", self._done)

    def begin(self) -> None:
        """From now on it counts."""
        self._file[_COUNTS] = struct.pack("<q", 1)

    @property
    def counts(self) -> bool:
        """Whether what is done counts."""
        return bool(struct.unpack("<q", self._file[_COUNTS])[0])

    @property
    def done(self) -> int:
        """Records that count."""
        return int(struct.unpack("<q", self._file[_DONE])[0]) if self.counts else 0


class Counted:
    """A process that says in a file of `directory` how far it is."""

    def __init__(
        self, command: Sequence[str], directory: Path, progress: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self._progress, self._log = Progress(progress), directory / "process.log"
        self._process = Process(command, self._log, directory, environment)

    @property
    def pid(self) -> int:
        return self._process.pid

    def done(self) -> int:
        """Records that count. SystemExit when the process has left."""
        code = self._process.ended()
        if code is not None:
            raise SystemExit(f"process {self.pid} left with {code}: {self._log.read_text(errors='replace')[-3000:]}")
        return self._progress.done

    def ready(self) -> bool:
        """Whether what it does counts already."""
        self.done()
        return self._progress.counts

    def stop(self) -> None:
        self._process.stop()

    def kill(self) -> None:
        self._process.kill()
