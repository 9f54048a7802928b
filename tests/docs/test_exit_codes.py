"""docs/exit-codes.md has every kind of error with its code, and every code."""

import re
from collections.abc import Iterator
from pathlib import Path

from monitor.cli import INTERRUPTED
from monitor.errors import MonitorError

PAGE = (Path(__file__).parents[2] / "docs" / "exit-codes.md").read_text()


def kinds(base: type[MonitorError] = MonitorError) -> Iterator[type[MonitorError]]:
    yield base
    for kind in base.__subclasses__():
        yield from kinds(kind)


def ours() -> dict[str, int]:
    return {kind.__name__: kind.exit_code for kind in kinds() if kind.__module__ == "monitor.errors"}


def test_every_kind_of_error_stands_there_with_its_code_and_no_other_does():
    told = {name: int(code) for name, code in re.findall(r"^\| `(\w+)` \| (\d+) \|", PAGE, re.MULTILINE)}
    assert told == ours()


def test_every_code_is_explained_and_no_other_is():
    told = [int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)]
    assert told == sorted({0, 1, 2, INTERRUPTED, *ours().values()})
