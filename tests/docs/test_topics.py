"""docs/topics.md tells of each topic as `monitor topics create` makes it."""

import re
from pathlib import Path

from monitor.settings import Settings
from monitor.wire.topics import COPARTITIONED, plan

PAGE = (Path(__file__).parents[2] / "docs" / "topics.md").read_text()


def test_the_table_is_the_plan():
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")
    ]
    told = {row[0]: (row[1].strip("`"), row[2], set(re.findall(r"`([^`]+)`", row[3]))) for row in rows[2:]}
    planned = {
        topic.role: (
            topic.name,
            {"controls": "1"}.get(
                topic.role, "those of transactions" if topic.role in COPARTITIONED else "topic_partitions"
            ),
            {f"{key}={value}" for key, value in topic.config.items() if key != "min.insync.replicas"},
        )
        for topic in plan(Settings())
    }
    assert told == planned
