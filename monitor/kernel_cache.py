"""Where compiled kernels are kept: one directory for each state of the sources they are compiled from.

numba's own check sees only the file of the outermost function: after an upgrade that changed a function it calls, or a constant
it read, the stale kernel would run, silently. So the directory carries the digest of all sources that kernels are made of.
"""

import os
from collections.abc import MutableMapping
from hashlib import sha256
from pathlib import Path

PACKAGES = ("effects", "features", "guard", "money", "observe", "risk", "scoring", "state", "wire")
"""Packages with kernels, or with constants that kernels read."""

VARIABLE = "NUMBA_CACHE_DIR"


def sources_digest(package: Path) -> str:
    """Twelve hex digits over the Python files of `PACKAGES` and those beside them, names and contents."""
    files = sorted([*package.glob("*.py"), *(file for name in PACKAGES for file in (package / name).glob("*.py"))])
    whole = sha256()
    for file in files:
        content = file.read_bytes()
        whole.update(f"{file.relative_to(package)} {len(content)}\n".encode() + content)
    return whole.hexdigest()[:12]


def use_own_directory(environ: MutableMapping[str, str] = os.environ) -> None:
    """Point numba at the directory of these sources, below the one that the environment names or the user's cache.

    Before numba is imported; child processes inherit it.
    """
    digest = sources_digest(Path(__file__).parent)
    base = Path(environ.get(VARIABLE) or _user_cache(environ))
    if base.name != digest:
        environ[VARIABLE] = str(base / digest)


def _user_cache(environ: MutableMapping[str, str]) -> Path:
    root = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME") or "/tmp") / ".cache"  # noqa: S108 (no home: a container)
    return Path(root) / "fraud-monitor" / "numba"
