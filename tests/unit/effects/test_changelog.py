"""Changelog messages carry state to the partition it belongs to."""

import pytest

from monitor.effects.changelog import changelog_messages


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
