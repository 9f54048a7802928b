"""docs/settings.md is what the settings say of themselves."""

import subprocess
import sys
from pathlib import Path

from monitor.commands.settings_reference import markdown

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_page_is_what_the_settings_say():
    assert PAGE.read_text() == markdown(), (
        "run: .venv/bin/python -m monitor.commands.settings_reference > docs/settings.md"
    )


def test_the_command_that_the_page_names_prints_the_page():
    done = subprocess.run(
        [sys.executable, "-m", "monitor.commands.settings_reference"], capture_output=True, text=True, check=True
    )
    assert done.stdout == markdown()
