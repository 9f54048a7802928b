"""Controls as of a block, and what is said when they cannot be had."""

import pytest

from monitor.controls.controls import NO_CONTROLS
from monitor.controls.history import KEPT, ControlsHistory
from monitor.errors import ControlsError
from tests.unit.controls.conftest import NOBODY, NOW, book_of, control, record

MADE = [control("rail"), control("rail", state="open", created_at=NOW + 1)]
RECORDS = [(offset, *record(each)) for offset, each in enumerate(MADE)]


def test_blocks_without_controls_ask_nobody():
    def read():
        raise AssertionError("asked")

    assert ControlsHistory(NOBODY, read).at("") is NO_CONTROLS


def test_the_topic_is_read_once_and_a_version_kept():
    asked = []
    history = ControlsHistory(NOBODY, lambda: asked.append(1) or RECORDS)
    second, first = book_of(*MADE).version, book_of(MADE[0]).version
    assert history.at(second).rails["card"] == "open"
    assert history.at(first).rails["card"] == "walled"
    assert history.at(second) is history.at(second)
    assert asked == [1]


@pytest.mark.parametrize("version", ["1@000000000000", "7@000000000000", "x@0", "-1@0", "@"])
def test_a_version_that_the_topic_does_not_give_is_an_error(version):
    with pytest.raises(ControlsError, match="controls"):
        ControlsHistory(NOBODY, lambda: RECORDS).at(version)


def test_other_signers_than_those_of_then_give_no_version_of_then(policy):
    with pytest.raises(ControlsError, match="controls_signers"):
        ControlsHistory(policy, lambda: RECORDS).at(book_of(*MADE).version)


def test_a_record_that_is_gone_or_altered_is_noticed():
    version = book_of(*MADE).version
    for records in (RECORDS[1:], RECORDS[:1], [(0, *record(control("rail", reason="other"))), RECORDS[1]]):
        with pytest.raises(ControlsError, match="missing or were altered"):
            ControlsHistory(NOBODY, lambda records=records: records).at(version)


def test_of_many_versions_the_last_are_kept_and_the_others_found_again():
    made = [control("rail", state=("walled", "open")[at % 2], created_at=NOW + at) for at in range(3 * KEPT)]
    versions = [book_of(*made[: at + 1]).version for at in range(len(made))]
    history = ControlsHistory(NOBODY, lambda: [(offset, *record(each)) for offset, each in enumerate(made)])
    found = [history.at(version) for version in versions]
    assert len(history._known) == KEPT
    assert history.at(versions[-1]) is found[-1]
    assert history.at(versions[0]) == found[0]
    assert len(history._known) == KEPT


def test_versions_share_what_they_have_in_common():
    book = book_of(control())
    first = book.controls
    book.add(1, *record(control("override")))
    assert book.controls.suppressions[0] is first.suppressions[0]
