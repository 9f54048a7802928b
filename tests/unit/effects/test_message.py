"""Messages are plain values."""

import pytest

from monitor.effects.message import Message


def test_a_message_cannot_be_changed_after_it_was_made():
    message = Message("t", b"k", None, 3, [])
    with pytest.raises(AttributeError):
        message.value = b"other"
