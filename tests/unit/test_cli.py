"""What the command line looks like from outside: help, exit codes, one message on stderr."""

import subprocess
import sys

import click
import pytest

from monitor import cli
from monitor.errors import CommitError, MonitorError, SettingsError


def leave(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    return int(caught.value.code or 0)


@pytest.fixture
def fails_with(monkeypatch):
    """`fails_with(error)` makes `monitor broken` raise it."""

    def install(error: BaseException) -> None:
        @click.command()
        def broken() -> None:
            raise error

        monkeypatch.setattr(cli.Commands, "get_command", lambda *_: broken)

    return install


def test_the_help_lists_every_command_on_one_line_in_its_group(capsys):
    assert leave(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for title, entries in cli.GROUPS.items():
        assert f"{title}:" in lines
        for entry in entries:
            assert [line for line in lines if line.split() == [entry.name, *entry.help.split()]], entry.name


def test_no_command_is_the_help_and_not_an_error(capsys):
    assert leave([]) == 0
    assert "Usage: monitor" in capsys.readouterr().out


def test_the_help_imports_none_of_the_heavy_libraries():
    code = (
        "import sys\nfrom monitor import cli\n"
        "try: cli.main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'faust', 'numba', 'numpy', 'sklearn', 'pyarrow', 'confluent_kafka', 'pydantic'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", list(cli.Commands.entries))
def test_every_command_listed_can_be_loaded_and_has_help(name, capsys):
    assert leave([name, "--help"]) == 0
    assert f"Usage: monitor {name}" in capsys.readouterr().out


def test_a_wrong_command_line_leaves_with_2(capsys):
    assert leave(["nope"]) == 2
    assert "No such command" in capsys.readouterr().err


@pytest.mark.parametrize("error", [MonitorError, SettingsError, CommitError])
def test_an_error_of_ours_is_one_line_and_its_own_exit_code(error, fails_with, capsys):
    fails_with(error("field = value: fix"))
    assert leave(["broken"]) == error.exit_code
    assert capsys.readouterr().err == f"monitor: {error.__name__}: field = value: fix\n"


def test_an_error_nobody_expected_is_a_traceback_and_70(fails_with, capsys):
    fails_with(ZeroDivisionError("odd"))
    assert leave(["broken"]) == 70
    assert "Traceback" in (err := capsys.readouterr().err)
    assert "ZeroDivisionError: odd" in err


def test_an_interrupt_leaves_with_130_and_no_traceback(fails_with, capsys):
    fails_with(KeyboardInterrupt())
    assert leave(["broken"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_the_config_option_reaches_the_command(tmp_path, capsys):
    file = tmp_path / "monitor.toml"
    file.write_text("warmup_s = 41\n")
    assert leave(["--config", str(file), "config", "show"]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("warmup_s")] == [
        ["warmup_s", "file", "41"]
    ]


def test_python_m_monitor_is_the_same_command():
    done = subprocess.run([sys.executable, "-m", "monitor", "--version"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout.strip()
