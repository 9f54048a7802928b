"""A small disk that can be made full and free again: a tmpfs whose size is changed while it is in use."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

MIB = 1 << 20


def mountable() -> str:
    """Why no small disk can be mounted here, or nothing."""
    try:
        SmallDisk(1).close()
    except OSError as error:
        return f"a tmpfs cannot be mounted ({error}): it takes root and CAP_SYS_ADMIN"
    return ""


class SmallDisk:
    """A tmpfs of `size_mib`; memory is used only for what is written to it. Raises OSError when mounting is not permitted."""

    def __init__(self, size_mib: int) -> None:
        self._size = size_mib * MIB
        self.path = Path(tempfile.mkdtemp(prefix="monitor-disk-"))
        try:
            _call("mount", "-t", "tmpfs", "-o", f"size={self._size}", "tmpfs", str(self.path))
        except OSError:
            self.path.rmdir()
            raise

    @property
    def used_bytes(self) -> int:
        facts = os.statvfs(self.path)
        return (facts.f_blocks - facts.f_bfree) * facts.f_frsize

    def fill(self, left_bytes: int) -> None:
        """From now on there is room for `left_bytes` more."""
        self._resize(self.used_bytes + left_bytes)

    def free(self) -> None:
        """Give it its first size again."""
        self._resize(self._size)

    def close(self) -> None:
        _call("umount", "-l", str(self.path))
        shutil.rmtree(self.path, ignore_errors=True)

    def _resize(self, size: int) -> None:
        # Somebody writes between the measurement and this: a tmpfs cannot be made smaller than what it holds.
        for attempt in range(20):
            try:
                return _call("mount", "-o", f"remount,size={max(size, self.used_bytes + 4096)}", str(self.path))
            except OSError:
                if attempt == 19:
                    raise
        return None


def _call(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise OSError(f"no {command[0]} here") from None
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
