"""Files of controls that wait for signatures."""

import json

import pytest

from monitor.controls.book import ControlBook
from monitor.controls.proposal import read_proposal, signed_with, write_proposal
from monitor.controls.record import KINDS, Signed
from monitor.errors import ControlsError
from tests.unit.controls.conftest import HERE, NOW, control


@pytest.fixture
def path(tmp_path):
    found = tmp_path / "controls.json"
    write_proposal(found, [Signed(control(kind, created_at=NOW + 7)) for kind in KINDS])
    return found


def test_a_file_is_read_as_it_was_written_and_its_times_are_for_people(path):
    assert [each.control for each in read_proposal(path)] == [control(kind, created_at=NOW + 7) for kind in KINDS]
    assert json.loads(path.read_text())["controls"][0]["created_at"] == "2026-09-21T14:13:20.007Z"


def test_one_signs_after_the_other_and_what_they_signed_is_allowed(path, keys, policy):
    for key in (keys[0], keys[0], keys[1]):
        write_proposal(path, signed_with(read_proposal(path), key, HERE))
    book = ControlBook(policy)
    for offset, each in enumerate(read_proposal(path)):
        assert len(each.signatures) == 2
        assert book.add(offset, each.control.key.encode(), each.value(3)) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("blocks", 1), ("account_id", 5), ("until_ms", "soon"), ("until_ms", "2026-11-22T18:00"), ("created_at", NOW), ("other", 1),
        ("signatures", [{"key_id": "a", "signature": "no hex"}]), ("signatures", 5), ("reason", "\ud800"), ("kind", None),
    ],
)  # fmt: skip
def test_what_was_edited_into_nonsense_is_refused(path, name, value):
    table = json.loads(path.read_text())
    table["controls"][0][name] = value
    path.write_text(json.dumps(table))
    with pytest.raises(ControlsError):
        read_proposal(path)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"controls": 5}', '{"controls": [5]}', '{"controls": [{}]}', "[" * 100_000]
)
def test_other_files_are_refused_by_name(path, text):
    path.write_text(text)
    with pytest.raises(ControlsError, match=r"controls.json|control_id"):
        read_proposal(path)


def test_a_file_that_is_not_there_or_cannot_be_written_is_named(tmp_path):
    with pytest.raises(ControlsError, match="cannot be read"):
        read_proposal(tmp_path / "none.json")
    with pytest.raises(ControlsError, match="cannot be written"):
        write_proposal(tmp_path / "none" / "file.json", [])
