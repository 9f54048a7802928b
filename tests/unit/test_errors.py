"""The tree of errors, and its drawing in the module's docstring."""

import inspect
import re

import pytest

from monitor import errors
from monitor.errors import MonitorError

CLASSES = {name: each for name, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, MonitorError)}
# `│   ├── SchemaUnknown           65  the schema source says ...`: depth by the width before the name
DRAWN = re.findall(r"^ {4}([│├└─ ]*)(\w+) +(\d+)  \S", errors.__doc__ or "", flags=re.MULTILINE)


def test_the_docstring_draws_every_error_with_its_exit_code():
    assert {name: int(code) for _, name, code in DRAWN} == {name: each.exit_code for name, each in CLASSES.items()}


def test_the_docstring_draws_every_error_below_its_parent():
    parents: list[str] = []
    for stem, name, _ in DRAWN:
        depth = len(stem) // 4
        del parents[depth:]
        assert (CLASSES[name].__bases__[0].__name__ == parents[-1]) if parents else (CLASSES[name] is MonitorError)
        parents.append(name)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_an_exit_code_is_none_that_a_shell_or_a_signal_uses(name):
    assert 64 <= CLASSES[name].exit_code <= 78


def test_every_error_can_be_caught_as_the_base_and_keeps_its_message():
    for each in CLASSES.values():
        with pytest.raises(MonitorError, match="brokers = 'x': give HOST:PORT"):
            raise each("brokers = 'x': give HOST:PORT")
