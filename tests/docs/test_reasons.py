"""docs/dlq.md says of every reason what the code says of it, and knows no others."""

import re
from pathlib import Path

from monitor.effects.deadletters import DeadLetterTopic, dead_letter
from monitor.guard.reasons import Reason
from monitor.wire.records import Record

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "dlq.md").read_text()


def rows_under(heading):
    """Cells of the table rows below a heading, header rows left out."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [re.split(r"\s*\|\s*", line.strip("| \n")) for line in section.splitlines() if line.startswith("| `")]
    return {row[0].strip("`"): row[1:] for row in rows}


def test_every_reason_is_documented_as_the_code_explains_it():
    expected = {each.code: [str(int(each)), each.stage, each.explanation] for each in Reason if each}
    assert rows_under("Reasons") == expected


def test_every_reason_has_an_explanation_that_is_a_sentence():
    for reason in Reason:
        assert reason.explanation.endswith("."), reason


def test_every_header_that_is_always_written_is_documented():
    message = dead_letter(Record(1, b"k", b"v"), Reason.UNDECODABLE, "t", 0, DeadLetterTopic("d", "a", 1 << 20))
    assert list(rows_under("What a dead letter is")) == [name for name, _ in message.headers]


def test_every_header_about_what_was_replaced_is_documented():
    record = Record(1, bytes(9000), b"v", headers=[("h", bytes(9000))])
    message = dead_letter(record, Reason.UNDECODABLE, "t", 0, DeadLetterTopic("d", "a", 2048))
    written = [name for name, _ in message.headers if name.endswith(".replaced")]
    assert list(rows_under("Larger than the topic takes")) == written
