"""What a check found: one line."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warn", "fail", "skip"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`what` was seen, and the `fix` for a warning or a failure. `skip`: it could not be looked at, and `what` says why."""

    check: str
    status: Status
    what: str
    fix: str = ""


def ok(check: str, what: str) -> Finding:
    """All is as it should be."""
    return Finding(check, "ok", what)


def warn(check: str, what: str, fix: str) -> Finding:
    """It works, and should not stay so in production."""
    return Finding(check, "warn", what, fix)


def fail(check: str, what: str, fix: str) -> Finding:
    """The monitor will not start, or would lose or repeat something."""
    return Finding(check, "fail", what, fix)


def skip(check: str, why: str) -> Finding:
    """Not looked at."""
    return Finding(check, "skip", why)
