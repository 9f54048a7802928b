"""Where the files that ship with the program are: beside the package in a checkout, inside it in an installed wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def shipped(name: str) -> Path:
    """The directory `schemas` or `models` as shipped; a checkout's own comes before the wheel's copy."""
    beside = _PACKAGE.parent / name
    return beside if beside.is_dir() and (_PACKAGE.parent / "pyproject.toml").exists() else _PACKAGE / "_data" / name
