"""Changelog messages carry state to the partition it belongs to."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.effects.changelog import NO_TAIL, changelog_messages, changelog_tail, tail_of, tombstones
from monitor.errors import ProtocolError


def test_each_touched_account_has_one_message_in_the_source_partition():
    messages = changelog_messages("log", 5, [b"a", b"b"], [b"1", b"2"])
    assert [(m.topic, m.key, m.value, m.partition, m.headers) for m in messages] == [
        ("log", b"a", b"1", 5, []),
        ("log", b"b", b"2", 5, []),
    ]


def test_messages_do_not_share_their_headers():
    first, second = changelog_messages("log", 0, [b"a", b"b"], [b"1", b"2"])
    first.headers.append(("x", b"y"))
    assert second.headers == []


def test_an_account_without_a_record_is_not_dropped_in_silence():
    with pytest.raises(ValueError, match="shorter"):
        changelog_messages("log", 0, [b"a", b"b"], [b"1"])


def test_the_tail_is_the_digest_that_the_documentation_says():
    assert changelog_tail(b"ab", b"cd") == sha256(b"\0\0\0\2abcd").digest()
    assert len(NO_TAIL) == len(changelog_tail(b"", b""))


messages = st.tuples(st.binary(max_size=6), st.binary(max_size=6))


@given(messages, messages)
def test_two_messages_have_one_tail_only_if_they_are_the_same(first, second):
    assert (changelog_tail(*first) == changelog_tail(*second)) == (first == second)


def test_a_byte_that_moves_from_value_to_key_is_another_tail():
    assert changelog_tail(b"ab", b"c") != changelog_tail(b"a", b"bc")


def test_the_tail_of_a_run_is_that_of_its_last_message():
    assert tail_of(changelog_messages("log", 0, [b"a", b"b"], [b"1", b"2"])) == changelog_tail(b"b", b"2")
    assert tail_of([]) is None


def test_a_run_never_ends_with_a_tombstone():
    with pytest.raises(ProtocolError, match="last message must have"):
        tail_of([*changelog_messages("log", 0, [b"a"], [b"1"]), *tombstones("log", 0, [b"b"])])


def test_a_tombstone_has_a_key_and_no_value():
    assert [(m.topic, m.key, m.value, m.partition) for m in tombstones("log", 5, [b"a"])] == [("log", b"a", None, 5)]
