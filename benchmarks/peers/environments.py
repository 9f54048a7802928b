"""Virtual environments for peers whose packages are none of ours: pinned, made once, in the user's cache."""

import fcntl
import shutil
import subprocess
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from monitor.embedded.maven import cache_root

ROOT = Path(__file__).parents[2]


def python_with(packages: Sequence[str]) -> Path:
    """The interpreter of an environment with exactly `packages`, what they need, and this project without what it needs."""
    name = sha256("\n".join([sys.version, *packages]).encode()).hexdigest()[:12]
    directory = cache_root() / f"race-python-{name}"
    cache_root().mkdir(parents=True, exist_ok=True)
    with (cache_root() / "race-python.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ready = directory / "ready"
        if not ready.exists():
            shutil.rmtree(directory, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", str(directory)], check=True)
            pip = [str(directory / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, *packages], check=True)
            # For its metadata, which it asks for; its code comes from the PYTHONPATH.
            subprocess.run([*pip, "--no-deps", str(ROOT)], check=True)
            ready.touch()
    return directory / "bin" / "python"
