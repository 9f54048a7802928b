"""Commands in this process, which has the kernels already: a start of their own takes longer than most of them."""

import io
import os
from collections.abc import Mapping
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from monitor.cli import _exit_code


@dataclass(frozen=True)
class Done:
    """What a command left; named as `subprocess.CompletedProcess` has it."""

    returncode: int
    stdout: str
    stderr: str


def run_here(environment: Mapping[str, str], directory: Path, *arguments: object) -> Done:
    """`monitor ARGUMENTS` in `directory`, with this environment and no other."""
    out, err = io.StringIO(), io.StringIO()
    with patch.dict(os.environ, environment, clear=True), chdir(directory), redirect_stdout(out), redirect_stderr(err):
        code = _exit_code([str(each) for each in arguments])
    return Done(code, out.getvalue(), err.getvalue())
