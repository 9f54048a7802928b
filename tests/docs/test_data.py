"""docs/data.md says which columns there are, and what may be missing."""

import re
from pathlib import Path

from monitor.learn.payments import LABELS, NULLABLE, OPTIONAL, REQUIRED
from monitor.simulate.files import SCHEMA

PAGE = (Path(__file__).parents[2] / "docs/data.md").read_text()
ROWS = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+?) +\|", PAGE, re.MULTILINE))


def test_every_column_that_is_read_is_on_the_page_with_whether_it_is_needed():
    assert {name for name, needed in ROWS.items() if needed.startswith("yes")} == {*REQUIRED, *LABELS}
    assert {name for name, needed in ROWS.items() if needed == "may be null or missing"} == {*OPTIONAL}
    assert {*NULLABLE} < {*OPTIONAL}


def test_the_simulator_writes_these_columns_and_one_that_is_ignored():
    assert set(SCHEMA.names) - set(ROWS) == {"attributes"}
