"""What a person decides, as the next records."""

import pytest

from monitor.errors import ControlsError
from tests.unit.controls.conftest import HOUR, NOW, book_of, control, desk, record


def all_are_allowed(book, controls):
    return [book.add(book.last_offset + 1, *record(each)) for each in controls] == [None] * len(controls)


def test_every_decision_is_a_record_that_is_allowed_with_its_author_and_reason():
    book = book_of()
    at = desk(book)
    for made in (
        at.suppress({"account_id": "a", "rule_id": None, "reason_code": "x"}, NOW, NOW + HOUR, blocks=True),
        at.override("a", "block", NOW, NOW + HOUR),
        at.add_words("watched", ["m-1", "m-2", "m-1"]),
        at.set_rail("card", "walled"),
    ):
        assert all_are_allowed(book, made)
        assert {(each.author, each.reason, each.created_at) for each in made} == {("Ben", "as agreed", NOW)}
    assert book.counts() == {"suppression": 1, "override": 1, "list_entry": 2, "rail": 1}


def test_a_slow_clock_is_set_behind_the_record_before():
    book = book_of(control("rail", created_at=NOW + 50))
    (made,) = desk(book).set_rail("card", "open")
    assert made.created_at == NOW + 51
    assert all_are_allowed(book, [made])


def test_words_there_already_are_left_out_and_only_added_ones_are_removed():
    book = book_of(control("list_entry"))
    assert [each.word for each in desk(book).add_words("watched", ["m-1", "m-2"])] == ["m-2"]
    with pytest.raises(ControlsError, match="m-1: there already"):
        desk(book).add_words("watched", ["m-1"])
    with pytest.raises(ControlsError, match="m-9: not added by a control"):
        desk(book).remove_words("watched", ["m-1", "m-9"])
    assert all_are_allowed(book, desk(book).remove_words("watched", ["m-1"]))
    assert all_are_allowed(book, desk(book).add_words("watched", ["m-1"]))
    assert dict(book.controls.lists) == {"watched": ("m-1",)}


def test_a_control_is_withdrawn_by_the_beginning_of_its_id():
    first, second = "aaaa0000-0000-4000-8000-000000000001", "aaaa1111-0000-4000-8000-000000000001"
    book = book_of(control(control_id=first), control(control_id=second))
    for vague, said in (("aaaa", "2 controls"), ("aaaa2", "nothing of that id"), ("", "2 controls")):
        with pytest.raises(ControlsError, match=said):
            desk(book).withdraw(vague)
    (made,) = desk(book).withdraw("aaaa1")
    assert (made.control_id, made.author, made.withdrawn) == (second, "Ben", True)
    assert all_are_allowed(book, [made])
    with pytest.raises(ControlsError, match="nothing of that id"):
        desk(book).withdraw(second)
