"""One control as it lies in the topic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.controls.record import KINDS, MAX_MS, Signed, checked, read_signed
from monitor.errors import ControlsError
from monitor.wire.our_records import write_record
from tests.unit.controls.conftest import HOUR, NOW, control


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_read_again(kind):
    signed = Signed(control(kind), (("ab" * 32, b"\1" * 64),))
    assert read_signed(signed.value(7)) == signed


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("suppression", "suppression/00000000-0000-0000-0000-000000000001"),
        ("override", "override/a-1"),
        ("list_entry", "list/watched/m-1"),
        ("rail", "rail/card"),
    ],
)
def test_the_key_says_what_it_is_about(kind, key):
    assert control(kind).key == key
    assert control(kind, withdrawn=True, author="Ben").key == key


@pytest.mark.parametrize(
    ("kind", "changes", "said"),
    [
        ("suppression", {"account_id": None}, "name at least one"),
        ("suppression", {"until_ms": None}, "until_ms = 'None': it must end"),
        ("suppression", {"until_ms": NOW}, "it must end, and after from_ms"),
        ("suppression", {"outcome": "block"}, "outcome = 'block': a control of kind suppression has none"),
        ("suppression", {"control_id": "7"}, "control_id = '7': it is a UUID"),
        ("suppression", {"reason": " "}, "reason = ' ': it is one line"),
        ("suppression", {"reason": "two\nlines"}, "it is one line"),
        ("suppression", {"author": "x" * 1_001}, "it is one line of 1 to 1000 characters"),
        ("suppression", {"created_at": -1}, "created_at = '-1'"),
        ("suppression", {"until_ms": MAX_MS}, "before the year 10000"),
        ("override", {"outcome": "aprove"}, "outcome = 'aprove': it is one of approve, review, block"),
        ("override", {"outcome": None}, "a control of kind override needs it"),
        ("override", {"blocks": True}, "blocks = 'True'"),
        ("list_entry", {"list_name": "Watched"}, "lists of rules are named with a-z"),
        ("list_entry", {"until_ms": NOW + HOUR}, "holds until it is withdrawn"),
        ("list_entry", {"word": ""}, "word = '': it is a text of 1 to 1000"),
        ("override", {"account_id": ""}, "account_id = '': it is a text of 1 to 1000"),
        ("rail", {"rail": "pigeon"}, "rail = 'pigeon': it is one of card"),
        ("rail", {"state": "shut"}, "state = 'shut': it is one of walled, open, auto"),
        ("rail", {"kind": "wish"}, "kind = 'wish': it is one of suppression"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_field_and_its_value(kind, changes, said):
    wrong = control(kind, **changes)
    with pytest.raises(ControlsError, match=said):
        checked(wrong)
    with pytest.raises(ControlsError, match=said):
        read_signed(Signed(wrong).value(1))


@given(st.text(min_size=1, max_size=128))
def test_accounts_and_words_are_any_text_that_a_payment_may_have(text):
    for made in (
        control("override", account_id=text),
        control("suppression", account_id=text),
        control("list_entry", word=text),
    ):
        assert read_signed(Signed(made).value(1)).control == made


@pytest.mark.parametrize("name", ["account_id", "word"])
def test_half_a_character_is_no_text(name):
    with pytest.raises(ControlsError, match="that UTF-8 has"):
        checked(control("override" if name == "account_id" else "list_entry", **{name: "a\ud800"}))


@given(st.binary(max_size=200))
def test_bytes_that_are_no_control_are_an_error_and_nothing_else(value):
    for each in (value, b"\0\0\0\0\1" + value):
        with pytest.raises(ControlsError):
            read_signed(each)


def test_another_record_of_ours_is_no_control():
    label = {
        "transaction_id": "t", "account_id": "a", "merchant_id": None, "label": "fraud", "label_time": NOW, "source": "x",
        "scenario": None,
    }  # fmt: skip
    with pytest.raises(ControlsError):
        read_signed(write_record("label.avsc", label, 1))
