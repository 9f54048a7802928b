"""docs/withholding.md tells of everything that can withhold an alert."""

import re
from pathlib import Path

from monitor.settings_model import Settings
from monitor.state.dispositions import Held
from monitor.withholding import COOL_DOWN

PAGE = (Path(__file__).parents[2] / "docs" / "withholding.md").read_text()


def test_the_table_has_every_number_under_its_name():
    told = dict(re.findall(r"^\| (\d+) ([A-Z_]+) \|", PAGE, re.MULTILINE))
    assert told == {str(int(each)): each.name for each in Held}
    assert f"`{COOL_DOWN}`" in PAGE


def test_settings_and_their_defaults_are_as_the_page_says():
    fields = Settings.model_fields
    assert f"`{fields['topic_withheld'].default}`" in PAGE
    assert f"`alert_cooldown_s` long ({fields['alert_cooldown_s'].default} s" in PAGE
