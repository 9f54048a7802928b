"""Files from Maven, kept in a cache directory: fetched once, by one process at a time, and only ever seen whole."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from monitor.errors import BrokerError

# 3.x insists on the parent of every artifact it copies, and Apicurio's is not published; 2.8 needs the file alone.
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:2.8"
FETCH_TIMEOUT_S = 600


def cache_root() -> Path:
    """`$XDG_CACHE_HOME/fraud-monitor`, or the same under ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "fraud-monitor"


def fetched(name: str) -> Path | None:
    """The cached directory `name` if it is there; it is complete when it is there at all."""
    directory = cache_root() / name
    return directory if directory.is_dir() else None


def fetch(
    name: str,
    goal: str,
    options: Sequence[str],
    pom: Path | None = None,
    complete: Callable[[Path], None] | None = None,
) -> Path:
    """The cached directory `name`, filled by one goal of the dependency plugin unless it is there already.

    The goal writes to a staging directory, `complete` may work on that, and a rename makes it the cached one: a process
    killed half-way leaves nothing that could be taken for the whole. Raises `BrokerError` with the end of Maven's output.
    """
    root = cache_root()
    root.mkdir(parents=True, exist_ok=True)
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        present = fetched(name)
        if present is not None:
            return present
        staging = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=root))
        try:
            _run_maven(goal, [*options, f"-DoutputDirectory={staging}"], pom)
            if complete is not None:
                complete(staging)
            return staging.rename(root / name)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise


def _run_maven(goal: str, options: Sequence[str], pom: Path | None) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise BrokerError("mvn = not found on the PATH: install Maven, or name a running broker")
    command = [maven, "-B", "-q", *(["-f", str(pom)] if pom else []), f"{PLUGIN}:{goal}", *options]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=FETCH_TIMEOUT_S, check=False, cwd=cache_root(),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise BrokerError(
            f"{' '.join(command)} = no end after {FETCH_TIMEOUT_S} s: see whether Maven reaches its repository"
        ) from None
    if done.returncode:
        raise BrokerError(f"{' '.join(command)} = exit {done.returncode}: {done.stdout[-2000:].strip()}")
